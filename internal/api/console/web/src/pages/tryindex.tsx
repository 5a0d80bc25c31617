import { useState } from "preact/hooks";
import type { Call } from "../code.ts";
import { counted } from "../format.ts";
import { useAction } from "../hooks.ts";
import { CodePanel } from "../parts/codepanel.tsx";
import { Crop, Figure, type Mark } from "../parts/figure.tsx";
import { Failure } from "../parts/notice.tsx";
import type { Chosen } from "../picture/load.ts";
import { address } from "../router.ts";
import { leastFaceOf } from "../picture/noface.ts";
import type { FaceDetail, IndexAnswer, QualityBounds } from "../server/types.ts";
import { useSession } from "../session.ts";

/** Rounded down, so that a value below a bound does not look equal to it. */
const decimal = (value: number) => String(Math.floor(value * 100) / 100);

/** Why a face was left out: the rule that the API names, with the face's value and the one that would pass. */
function why(reason: string, face: FaceDetail, picture: Chosen, bounds: QualityBounds | undefined): string {
  const at = (value: number | undefined, bound: number | undefined) => (value === undefined || bound === undefined ? "" : ` (${decimal(value)}, and ${bound} would pass)`);
  switch (reason) {
    case "EXCEEDS_MAX_FACES": return "larger faces were enough";
    case "EXTREME_POSE": return `turned too far away${face.Pose && bounds ? ` (yaw ${Math.round(face.Pose.Yaw)}, pitch ${Math.round(face.Pose.Pitch)} and roll ${Math.round(face.Pose.Roll)} degrees, and ${bounds.Yaw}, ${bounds.Pitch} and ${bounds.Roll} would pass)` : ""}`;
    case "LOW_BRIGHTNESS": return "too dark" + at(face.Quality?.Brightness, bounds?.Brightness);
    case "LOW_SHARPNESS": return "too blurred" + at(face.Quality?.Sharpness, bounds?.Sharpness);
    case "LOW_CONFIDENCE": return "not clearly a face" + at(face.Confidence, bounds?.Confidence);
    case "SMALL_BOUNDING_BOX": return "too small" + at(Math.min(face.BoundingBox.Width * picture.width, face.BoundingBox.Height * picture.height), bounds?.Side);
    case "LOW_FACE_QUALITY": return "overexposed" + at(face.Quality?.Brightness, bounds?.MostBrightness);
    default: return reason.toLowerCase().replaceAll("_", " ");
  }
}

const filters = [["AUTO", "Automatic"], ["NONE", "None"], ["LOW", "Low"], ["MEDIUM", "Medium"], ["HIGH", "High"]] as const;

/** An external id that the name of a file makes. */
function idOf(name: string): string {
  return name.replace(/\.\w+$/, "").replace(/[^a-zA-Z0-9_.\-:]+/g, "_").slice(0, 255);
}

/** Puts the faces of a picture into a collection. */
export function TryIndex({ picture, collection, ready, bounds }: { picture: Chosen; collection: string; ready: boolean; bounds: (filter: string) => QualityBounds | undefined }) {
  const session = useSession();
  const [external, setExternal] = useState(() => idOf(picture.name));
  const [most, setMost] = useState("");
  const [filter, setFilter] = useState("AUTO");
  const call: Call = {
    operation: "IndexFaces",
    input: {
      CollectionId: collection, Image: picture.picture, ...(external && { ExternalImageId: external }), ...(most && { MaxFaces: Number(most) }),
      ...(filter !== "AUTO" && { QualityFilter: filter }),
    },
  };
  const index = useAction(async (signal) => ({ ...await session.client.call<IndexAnswer>(call.operation, call.input, signal), filter }));
  const answer = index.busy ? undefined : index.result;
  const marks: Mark[] = [
    ...(answer?.FaceRecords ?? []).map((r, i) => ({ box: r.Face.BoundingBox, name: String(i + 1), kind: "chosen" as const })),
    ...(answer?.UnindexedFaces ?? []).map((u) => ({ box: u.FaceDetail.BoundingBox, name: "–", kind: "dim" as const })),
  ];
  return (
    <div class="beside">
      <Figure picture={picture} marks={marks} />
      <div class="stack">
        <form class="stack" onSubmit={(event) => { event.preventDefault(); if (!index.busy) void index.run(); }}>
          <label>External id
            <input name="external" value={external} maxLength={255} pattern="[a-zA-Z0-9_.\-:]+" title="Letters, digits, and _ . - :" autocomplete="off" spellcheck={false} autocapitalize="none" onInput={(event) => setExternal(event.currentTarget.value)} />
            <span class="faint">Your own name for the picture, which searches give back. Letters, digits, and _ . - :</span>
          </label>
          <div class="row">
            <label>Most faces, the largest first
              <input name="most" type="number" min={1} step={1} value={most} placeholder="All" onInput={(event) => setMost(event.currentTarget.value)} />
            </label>
            <label>Quality filter
              <select name="filter" value={filter} onChange={(event) => setFilter(event.currentTarget.value)}>
                {filters.map(([value, title]) => <option key={value} value={value}>{title}</option>)}
              </select>
            </label>
          </div>
          <div class="row">
            <button type="submit" class="primary" disabled={!collection || !ready} aria-disabled={index.busy}>Index</button>
            <span class="faint">{collection ? `into ${collection}` : "Name a collection first."}</span>
          </div>
        </form>
        <Failure error={index.error} />
        <p class={answer ? `notice ${answer.FaceRecords.length > 0 ? "good" : "plain"}` : "faint"} role="status">
          {index.busy && "Indexing …"}
          {answer && (answer.FaceRecords.length + answer.UnindexedFaces.length === 0 ? `No face was found: the collection is as it was. ${leastFaceOf(picture)}`
            : <>{counted(answer.FaceRecords.length, "face")} indexed{answer.UnindexedFaces.length > 0 && `, ${counted(answer.UnindexedFaces.length, "face")} left out`}. <a href={address(["collections", collection])}>Open {collection}</a></>)}
        </p>
        {marks.length > 0 && (
          <ul class="cards" aria-label="Faces of the picture">
            {answer?.FaceRecords.map((r, i) => (
              <li key={r.Face.FaceId} class="card row">
                <Crop picture={picture} box={r.Face.BoundingBox} />
                <div><h3>Face {i + 1}</h3><p class="faint"><code>{r.Face.FaceId}</code></p></div>
              </li>
            ))}
            {answer?.UnindexedFaces.map((u, i) => (
              <li key={i} class="card row">
                <Crop picture={picture} box={u.FaceDetail.BoundingBox} />
                <div><h3>Left out</h3><p>{u.Reasons.map((reason) => why(reason, u.FaceDetail, picture, bounds(answer.filter))).join(", ")}</p></div>
              </li>
            ))}
          </ul>
        )}
        {collection && <CodePanel calls={[call]} />}
      </div>
    </div>
  );
}
