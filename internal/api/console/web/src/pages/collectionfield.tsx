import { useState } from "preact/hooks";
import { useSettled } from "../hooks.ts";
import { CreateCollection } from "./createcollection.tsx";
import { useSession } from "../session.ts";
import { useWalk } from "../walk.ts";

const mostSuggested = 50;

/** Names a collection. Those of the server are suggested to whoever may list them. */
export function CollectionField({ value, onChange, mayCreate }: { value: string; onChange: (id: string) => void; mayCreate: boolean }) {
  const session = useSession();
  const [creating, setCreating] = useState(false);
  const [changes, setChanges] = useState(0);
  const mayList = session.may("ListCollections");
  const part = useSettled(value.trim(), 250).toLowerCase();
  const walk = useWalk<string>(
    async (token, signal) => {
      const page: { CollectionIds: string[]; NextToken?: string } =
        await session.client.call("ListCollections", { MaxResults: part ? 4096 : mostSuggested + 1, ...(token && { NextToken: token }) }, signal);
      return { items: page.CollectionIds, next: page.NextToken };
    },
    mayList ? (id) => id.toLowerCase().includes(part) : null, mostSuggested, [session, part, mayList, changes]);
  return (
    <div class="collectionfield">
      <label>Collection
        <input name="collection" value={value} list="collections-known" maxLength={255} autocomplete="off" spellcheck={false} autocapitalize="none" placeholder="To search, or to index into"
          onInput={(event) => onChange(event.currentTarget.value.trim())} />
        <datalist id="collections-known">{walk?.found.map((id) => <option key={id} value={id} />)}</datalist>
      </label>
      {mayCreate && <button type="button" onClick={() => setCreating(true)}>New collection</button>}
      {creating && <CreateCollection onClose={() => setCreating(false)} onCreated={(id) => { setCreating(false); setChanges(changes + 1); onChange(id); }} />}
    </div>
  );
}
