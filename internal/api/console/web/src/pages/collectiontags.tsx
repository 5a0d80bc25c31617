import { useState } from "preact/hooks";
import type { Call } from "../code.ts";
import { useAction, useLoaded } from "../hooks.ts";
import { CodePanel } from "../parts/codepanel.tsx";
import { Failure } from "../parts/notice.tsx";
import { useSession } from "../session.ts";

/** The tags of a collection, which can be given and taken one by one. */
export function CollectionTags({ arn, may }: { arn: string; may: (operation: string) => boolean }) {
  const session = useSession();
  const [key, setKey] = useState("");
  const [value, setValue] = useState("");
  const list: Call = { operation: "ListTagsForResource", input: { ResourceArn: arn } };
  const [calls, setCalls] = useState<Call[]>([list]);
  const tags = useLoaded<{ Tags: Record<string, string> } | null>(
    (signal) => (may("ListTagsForResource") ? session.client.call(list.operation, list.input, signal) : Promise.resolve(null)), [session, arn, may]);
  const change = useAction(async (signal, call: Call) => {
    await session.client.call(call.operation, call.input, signal);
    setCalls([list, call]);
    tags.reload();
    return call;
  });
  const add = async () => {
    if (await change.run({ operation: "TagResource", input: { ResourceArn: arn, Tags: { [key]: value } } })) {
      setKey("");
      setValue("");
    }
  };
  if (!may("ListTagsForResource")) return null;
  const entries = Object.entries(tags.value?.Tags ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
  return (
    <section aria-labelledby="tags-title" class="tagged">
      <h2 id="tags-title">Tags</h2>
      <ul class="chips" aria-label="Tags">
        {entries.map(([k, v]) => (
          <li key={k}><span>{k}{v && <> = {v}</>}</span>
            {may("UntagResource") && (
              <button type="button" class="quiet" aria-label={`Remove the tag ${k}`} disabled={change.busy}
                onClick={() => void change.run({ operation: "UntagResource", input: { ResourceArn: arn, TagKeys: [k] } })}>✕</button>
            )}
          </li>
        ))}
        {tags.value && entries.length === 0 && <li class="faint">none</li>}
      </ul>
      <Failure error={tags.error ?? change.error} />
      {may("TagResource") && (
        <form class="row addtag" onSubmit={(event) => { event.preventDefault(); void add(); }}>
          <input aria-label="Key of a new tag" placeholder="Key" value={key} maxLength={128} onInput={(event) => setKey(event.currentTarget.value)} />
          <input aria-label="Value of a new tag" placeholder="Value" value={value} maxLength={256} onInput={(event) => setValue(event.currentTarget.value)} />
          <button type="submit" disabled={!key || change.busy}>Add tag</button>
        </form>
      )}
      <CodePanel calls={calls} />
    </section>
  );
}
