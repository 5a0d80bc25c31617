import { useMemo, useState } from "preact/hooks";
import type { Call } from "../code.ts";
import { counted } from "../format.ts";
import { useAction, useLoaded } from "../hooks.ts";
import { CodePanel } from "../parts/codepanel.tsx";
import { Dialog } from "../parts/dialog.tsx";
import { Failure } from "../parts/notice.tsx";
import { Refusal } from "../server/client.ts";
import type { Face, User } from "../server/types.ts";
import { useSession } from "../session.ts";
import { batches, failures, type Failed } from "./facechanges.tsx";

const mostAssociated = 100; // faces of a call

/** Gives faces to a user, who is made if it is new. */
export function Associate({ collection, faces, may, onClose, onDone }: {
  collection: string; faces: Face[]; may: (operation: string) => boolean; onClose: () => void; onDone: (what: string[]) => void;
}) {
  const session = useSession();
  const [user, setUser] = useState("");
  const [threshold, setThreshold] = useState(75);
  const users = useLoaded<{ Users: User[]; NextToken?: string }>(
    (signal) => (may("ListUsers") ? session.client.call("ListUsers", { CollectionId: collection, MaxResults: 500 }, signal) : Promise.resolve({ Users: [] })),
    [session, collection]);
  const all = users.value && !users.value.NextToken && may("ListUsers");
  const isNew = user !== "" && !users.value?.Users.some((u) => u.UserId === user);
  const create = isNew && may("CreateUser");
  const calls: Call[] = [
    ...(create ? [{ operation: "CreateUser", input: { CollectionId: collection, UserId: user } }] : []),
    ...batches(faces.map((face) => face.FaceId), mostAssociated).map((FaceIds) => (
      { operation: "AssociateFaces", input: { CollectionId: collection, UserId: user, FaceIds, UserMatchThreshold: threshold } })),
  ];
  // The same tokens when it is tried again: what was done is not done twice, and is answered as it was.
  const tokens = useMemo(() => calls.map(() => crypto.randomUUID()), [user, threshold, create]);
  const action = useAction(async (signal) => {
    let given = 0;
    const failed: Failed[] = [];
    let made = "";
    for (const [i, call] of calls.entries()) {
      try {
        const answer = await session.client.call<{ AssociatedFaces?: unknown[]; UnsuccessfulFaceAssociations?: Failed[] }>(
          call.operation, { ...call.input, ClientRequestToken: tokens[i] }, signal);
        if (call.operation === "CreateUser") made = `The user ${user} was created. `;
        given += answer.AssociatedFaces?.length ?? 0;
        failed.push(...answer.UnsuccessfulFaceAssociations ?? []);
      } catch (error) {
        // Beyond the first 500 a user may be there that was not listed.
        if (!(call.operation === "CreateUser" && error instanceof Refusal && error.code === "ConflictException")) throw error;
      }
    }
    onDone([`${made}${counted(given, "face")} associated with ${user}.`, ...failures(failed, faces)]);
  });
  return (
    <Dialog title="Associate with a user" onClose={onClose}>
      <form class="stack" onSubmit={(event) => { event.preventDefault(); void action.run(); }}>
        <p>A user stands for one person and is searched by all of its faces. {counted(faces.length, "face")} will be given to it.</p>
        <label>User
          <input name="user" value={user} required maxLength={128} pattern="[a-zA-Z0-9_.\-:]+" title="Letters, digits, and _ . - :" list="users-known" autocomplete="off" spellcheck={false} autocapitalize="none" autofocus
            onInput={(event) => setUser(event.currentTarget.value)} />
          <datalist id="users-known">{users.value?.Users.map((u) => <option key={u.UserId} value={u.UserId} />)}</datalist>
          {isNew && <span class="faint">{create ? (all ? "A new user, who will be created" : "Created if there is no such user") : "You may not create users: it must be there"}</span>}
        </label>
        <label>Least similarity to the faces that the user has, 0 to 100
          <input name="threshold" type="number" min={0} max={100} step="any" value={threshold} required onInput={(event) => setThreshold(event.currentTarget.valueAsNumber)} />
        </label>
        <Failure error={action.error} />
        <div class="row end">
          <button type="button" onClick={onClose}>Cancel</button>
          <button type="submit" class="primary" disabled={action.busy}>{action.busy ? "Associating …" : "Associate"}</button>
        </div>
        {user && <CodePanel calls={calls} />}
      </form>
    </Dialog>
  );
}
