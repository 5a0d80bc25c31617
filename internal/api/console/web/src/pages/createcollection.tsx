import { useState } from "preact/hooks";
import type { Call } from "../code.ts";
import { useAction } from "../hooks.ts";
import { CodePanel } from "../parts/codepanel.tsx";
import { Dialog } from "../parts/dialog.tsx";
import { Failure } from "../parts/notice.tsx";
import { TagFields, tagsOf, type TagRow } from "../parts/tags.tsx";
import { useSession } from "../session.ts";

/** Makes a collection, with tags if the key may give them. */
export function CreateCollection({ name = "", onClose, onCreated }: { name?: string; onClose: () => void; onCreated: (id: string) => void }) {
  const session = useSession();
  const [id, setId] = useState(name);
  const [rows, setRows] = useState<TagRow[]>([]);
  const tags = tagsOf(rows);
  const call: Call = { operation: "CreateCollection", input: { CollectionId: id, ...(Object.keys(tags).length > 0 ? { Tags: tags } : {}) } };
  const action = useAction(async (signal) => {
    await session.client.call(call.operation, call.input, signal);
    onCreated(id);
  });
  return (
    <Dialog title="New collection" onClose={onClose}>
      <form class="stack" onSubmit={(event) => { event.preventDefault(); void action.run(); }}>
        <label>Name
          <input name="name" value={id} required maxLength={255} pattern="[a-zA-Z0-9_.\-]+" title="Letters, digits, and . _ -" spellcheck={false} autocapitalize="none" autocomplete="off" autofocus
            onInput={(event) => setId(event.currentTarget.value)} />
          <span class="faint">Letters, digits, and . _ -</span>
        </label>
        {session.may("TagResource") && <TagFields rows={rows} onChange={setRows} />}
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
