import { useMemo, useState } from "preact/hooks";
import type { Call } from "../code.ts";
import { useAction, useLoaded } from "../hooks.ts";
import { CodePanel } from "../parts/codepanel.tsx";
import { Confirm } from "../parts/confirm.tsx";
import { Dialog } from "../parts/dialog.tsx";
import { Failure, Note, Waiting } from "../parts/notice.tsx";
import { Pager, usePaging } from "../parts/pager.tsx";
import { address } from "../router.ts";
import type { User } from "../server/types.ts";
import { useSession } from "../session.ts";

const pageSize = 50;
const states: Record<string, string> = { CREATED: "has no faces", ACTIVE: "can be searched", UPDATING: "is being updated" };

/** The users of a collection. */
export function Users({ collection, may, onChanged }: { collection: string; may: (operation: string) => boolean; onChanged: () => void }) {
  const session = useSession();
  const paging = usePaging();
  const [creating, setCreating] = useState(false);
  const [deleting, setDeleting] = useState<string | null>(null);
  const [done, setDone] = useState("");
  const input = { CollectionId: collection, MaxResults: pageSize };
  const page = useLoaded<{ Users: User[]; NextToken?: string }>(
    (signal) => session.client.call("ListUsers", { ...input, ...(paging.token && { NextToken: paging.token }) }, signal), [session, collection, paging.token]);
  const users = page.value?.Users ?? [];
  const changed = (what: string) => {
    setCreating(false);
    setDeleting(null);
    setDone(what);
    page.reload();
    onChanged();
  };
  return (
    <section aria-labelledby="users-title">
      <h2 id="users-title" class="hidden">Users</h2>
      {may("CreateUser") && <p><button type="button" onClick={() => setCreating(true)}>New user</button></p>}
      {done && <Note>{done}</Note>}
      <Failure error={page.error} again={page.reload} />
      {page.loading && !page.value && <Waiting what="Loading users" />}
      {page.value && users.length === 0 && paging.tokens.length === 1 && (
        <div class="empty"><p>There are no users here yet. A user stands for one person: mark faces and associate them with it.</p></div>
      )}
      {users.length > 0 && (
        <table class="list" aria-busy={page.loading}>
          <caption class="hidden">Users</caption>
          <thead><tr><th scope="col">User</th><th scope="col">State</th><th scope="col"><span class="hidden">Actions</span></th></tr></thead>
          <tbody>
            {users.map((user) => (
              <tr key={user.UserId}>
                <th scope="row">{user.UserId}</th>
                <td data-label="State">{user.UserStatus} <span class="faint">{states[user.UserStatus]}</span></td>
                <td class="actions">
                  {may("ListFaces") && <a href={address(["collections", collection], { user: user.UserId })} aria-label={`Faces of ${user.UserId}`}>Faces</a>}
                  {may("DeleteUser") && <button type="button" class="quiet danger" aria-label={`Delete the user ${user.UserId}`} onClick={() => setDeleting(user.UserId)}>Delete</button>}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      <Pager paging={paging} next={page.value?.NextToken} busy={page.loading} what="users" />
      <CodePanel calls={[{ operation: "ListUsers", input }]} />
      {creating && <CreateUser collection={collection} onClose={() => setCreating(false)} onCreated={(id) => changed(`The user ${id} was created.`)} />}
      {deleting !== null && <DeleteUser collection={collection} user={deleting} onClose={() => setDeleting(null)} onDeleted={() => changed(`The user ${deleting} was deleted.`)} />}
    </section>
  );
}

function CreateUser({ collection, onClose, onCreated }: { collection: string; onClose: () => void; onCreated: (id: string) => void }) {
  const session = useSession();
  const [id, setId] = useState("");
  const token = useMemo(() => crypto.randomUUID(), [id]);
  const call: Call = { operation: "CreateUser", input: { CollectionId: collection, UserId: id } };
  const action = useAction(async (signal) => {
    await session.client.call(call.operation, { ...call.input, ClientRequestToken: token }, signal);
    onCreated(id);
  });
  return (
    <Dialog title="New user" onClose={onClose}>
      <form class="stack" onSubmit={(event) => { event.preventDefault(); void action.run(); }}>
        <label>User id
          <input name="user" value={id} required maxLength={128} pattern="[a-zA-Z0-9_.\-:]+" title="Letters, digits, and _ . - :" spellcheck={false} autocapitalize="none" autocomplete="off" autofocus
            onInput={(event) => setId(event.currentTarget.value)} />
          <span class="faint">Letters, digits, and _ . - :</span>
        </label>
        <Failure error={action.error} />
        <div class="row end">
          <button type="button" onClick={onClose}>Cancel</button>
          <button type="submit" class="primary" disabled={action.busy}>{action.busy ? "Creating …" : "Create"}</button>
        </div>
        {id && <CodePanel calls={[call]} />}
      </form>
    </Dialog>
  );
}

function DeleteUser({ collection, user, onClose, onDeleted }: { collection: string; user: string; onClose: () => void; onDeleted: () => void }) {
  const session = useSession();
  const token = useMemo(() => crypto.randomUUID(), []);
  const call: Call = { operation: "DeleteUser", input: { CollectionId: collection, UserId: user } };
  const act = async (signal: AbortSignal) => {
    await session.client.call(call.operation, { ...call.input, ClientRequestToken: token }, signal);
    onDeleted();
  };
  return (
    <Confirm title="Delete a user" verb="Delete" calls={[call]} act={act} onClose={onClose}>
      <p>The user <strong>{user}</strong> will be deleted. Its faces stay in the collection, without a user.</p>
    </Confirm>
  );
}
