/** A tag while it is typed. */
export interface TagRow { key: string; value: string }

/** The tags of the rows that have a key. */
export function tagsOf(rows: TagRow[]): Record<string, string> {
  return Object.fromEntries(rows.filter((row) => row.key).map((row) => [row.key, row.value]));
}

/** Fields for tags that are to be given. */
export function TagFields({ rows, onChange }: { rows: TagRow[]; onChange: (rows: TagRow[]) => void }) {
  const set = (i: number, change: Partial<TagRow>) => onChange(rows.map((row, j) => (i === j ? { ...row, ...change } : row)));
  return (
    <fieldset class="tags">
      <legend>Tags</legend>
      {rows.map((row, i) => (
        <div class="row" key={i}>
          <input aria-label={`Key of tag ${i + 1}`} placeholder="Key" value={row.key} maxLength={128} onInput={(event) => set(i, { key: event.currentTarget.value })} />
          <input aria-label={`Value of tag ${i + 1}`} placeholder="Value" value={row.value} maxLength={256} onInput={(event) => set(i, { value: event.currentTarget.value })} />
          <button type="button" class="quiet" aria-label={`Remove tag ${i + 1}`} onClick={() => onChange(rows.filter((_, j) => j !== i))}>✕</button>
        </div>
      ))}
      <button type="button" class="quiet" onClick={() => onChange([...rows, { key: "", value: "" }])}>Add a tag</button>
    </fieldset>
  );
}
