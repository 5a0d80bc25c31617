import { useState } from "preact/hooks";
import type { Call } from "../code.ts";
import { useAction } from "../hooks.ts";
import { CodePanel } from "../parts/codepanel.tsx";
import { Dialog } from "../parts/dialog.tsx";
import { Failure } from "../parts/notice.tsx";
import { useSession } from "../session.ts";

/** Deletes a collection, once its name was typed. */
export function DeleteCollection({ id, contents, onClose, onDeleted }: { id: string; contents: string | undefined; onClose: () => void; onDeleted: (id: string, call: Call) => void }) {
  const session = useSession();
  const [typed, setTyped] = useState("");
  const call: Call = { operation: "DeleteCollection", input: { CollectionId: id } };
  const action = useAction(async (signal) => {
    await session.client.call(call.operation, call.input, signal);
    onDeleted(id, call);
  });
  return (
    <Dialog title="Delete a collection" onClose={onClose}>
      <form class="stack" onSubmit={(event) => { event.preventDefault(); if (typed === id) void action.run(); }}>
        <p>
          <strong>{id}</strong> with {contents ?? "all its faces and users"} will be deleted. This cannot be undone.
        </p>
        <label>Type its name to go on
          <input name="confirm" value={typed} spellcheck={false} autocapitalize="none" autocomplete="off" autofocus onInput={(event) => setTyped(event.currentTarget.value)} />
        </label>
        <Failure error={action.error} />
        <div class="row end">
          <button type="button" onClick={onClose}>Cancel</button>
          <button type="submit" class="danger" disabled={typed !== id || action.busy}>{action.busy ? "Deleting …" : "Delete"}</button>
        </div>
        <CodePanel calls={[call]} />
      </form>
    </Dialog>
  );
}
