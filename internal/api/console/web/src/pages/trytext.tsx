import { useState } from "preact/hooks";
import type { Call } from "../code.ts";
import { counted } from "../format.ts";
import { useLoaded } from "../hooks.ts";
import { CodePanel } from "../parts/codepanel.tsx";
import { Figure } from "../parts/figure.tsx";
import { Failure } from "../parts/notice.tsx";
import type { Chosen } from "../picture/load.ts";
import type { TextDetection } from "../server/types.ts";
import { useSession } from "../session.ts";

/** The text of a picture, line by line or word by word. */
export function TryText({ picture }: { picture: Chosen }) {
  const session = useSession();
  const call: Call = { operation: "DetectText", input: { Image: picture.picture } };
  const found = useLoaded<{ TextDetections: TextDetection[] }>((signal) => session.client.call(call.operation, call.input, signal), [session, picture]);
  const [words, setWords] = useState(false);
  const [chosen, setChosen] = useState<number | null>(null);
  const all = found.value?.TextDetections ?? [];
  const shown = all.filter((d) => d.Type === (words ? "WORD" : "LINE"));
  return (
    <div class="beside">
      <Figure picture={picture} onPick={(i) => setChosen(shown[i]!.Id)} marks={shown.map((d) => ({
        box: d.Geometry.BoundingBox, polygon: d.Geometry.Polygon, name: d.DetectedText, ...(d.Id === chosen && { kind: "chosen" as const }),
      }))} />
      <div class="stack">
        <Failure error={found.error} again={found.reload} />
        {!found.error && (
          <div class="row apart">
            <h3><span role="status">{found.loading ? <><span class="spinner" aria-hidden="true" /> Reading …</> : shown.length === 0 ? "No text was found" : `${counted(shown.length, words ? "word" : "line")} read`}</span></h3>
            {all.length > 0 && <label class="check"><input type="checkbox" checked={words} onChange={(event) => setWords(event.currentTarget.checked)} />Words</label>}
          </div>
        )}
        {shown.length > 0 && (
          <ol class="read" aria-label={words ? "Words" : "Lines"}>
            {shown.map((d) => (
              <li key={d.Id}>
                <button type="button" class="row" aria-pressed={d.Id === chosen} onClick={() => setChosen(d.Id)}>
                  <span>{d.DetectedText}</span> <span class="faint digits">{d.Confidence.toFixed(1)} %</span>
                </button>
              </li>
            ))}
          </ol>
        )}
        <CodePanel calls={[call]} />
      </div>
    </div>
  );
}
