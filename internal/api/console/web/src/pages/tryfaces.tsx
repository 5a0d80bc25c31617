import { useState } from "preact/hooks";
import type { Call } from "../code.ts";
import { counted } from "../format.ts";
import { useLoaded } from "../hooks.ts";
import { CodePanel } from "../parts/codepanel.tsx";
import { Crop, Figure } from "../parts/figure.tsx";
import { Failure } from "../parts/notice.tsx";
import type { Chosen } from "../picture/load.ts";
import { leastFaceOf } from "../picture/noface.ts";
import type { FaceDetail } from "../server/types.ts";
import { useSession } from "../session.ts";

/** A box of this share of the picture's width has room for a text. */
const roomForText = 0.16;

/** The faces of a picture with their landmarks and attributes. */
export function TryFaces({ picture }: { picture: Chosen }) {
  const session = useSession();
  const call: Call = { operation: "DetectFaces", input: { Image: picture.picture, Attributes: ["ALL"] } };
  const found = useLoaded<{ FaceDetails: FaceDetail[] }>((signal) => session.client.call(call.operation, call.input, signal), [session, picture]);
  const [chosen, setChosen] = useState(0);
  const [landmarks, setLandmarks] = useState(true);
  const faces = found.value?.FaceDetails ?? [];
  const face = faces[chosen];
  return (
    <div class="beside">
      <Figure picture={picture} onPick={setChosen} marks={faces.map((f, i) => ({
        box: f.BoundingBox, name: String(i + 1), ...(i === chosen && { kind: "chosen" as const }), ...(landmarks && f.Landmarks && { landmarks: f.Landmarks }),
        ...((i === chosen || f.BoundingBox.Width >= roomForText) && { text: inShort(f) }),
      }))} />
      <div class="stack">
        <Failure error={found.error} again={found.reload} />
        {!found.error && (
          <div class="row apart">
            <h3><span role="status">{found.loading ? <><span class="spinner" aria-hidden="true" /> Looking for faces …</> : faces.length === 0 ? "No face was found" : `${counted(faces.length, "face")} found`}</span></h3>
            {faces.length > 0 && <label class="check"><input type="checkbox" checked={landmarks} onChange={(event) => setLandmarks(event.currentTarget.checked)} />Landmarks</label>}
          </div>
        )}
        {found.value && !found.loading && faces.length === 0 && <p>{leastFaceOf(picture)}</p>}
        {faces.length > 1 && (
          <div class="faces" role="group" aria-label="Faces, the largest first">
            {faces.map((f, i) => (
              <button key={i} type="button" aria-pressed={i === chosen} aria-label={`Face ${i + 1}: ${inShort(f)}`} onClick={() => setChosen(i)}>
                <Crop picture={picture} box={f.BoundingBox} /><span aria-hidden="true">{i + 1}</span>
              </button>
            ))}
          </div>
        )}
        {face && <Details picture={picture} face={face} landmarks={landmarks} title={faces.length > 1 ? `Face ${chosen + 1}` : "The face"} />}
        <CodePanel calls={[call]} />
      </div>
    </div>
  );
}

const lower = (text: string) => text.toLowerCase().replaceAll("_", " ");

/** The attributes of a face in a few words; what the networks do not know is left out. */
function inShort(face: FaceDetail): string {
  const parts = [
    face.AgeRange && `${face.AgeRange.Low}–${face.AgeRange.High}`,
    face.Gender && lower(face.Gender.Value),
    face.Emotions?.[0] && lower(face.Emotions[0].Type),
    face.Smile?.Value && "smiling",
    face.EyesOpen?.Value === false && "eyes closed",
  ];
  return parts.filter(Boolean).join(", ") || `confidence ${face.Confidence.toFixed(1)}`;
}

function Details({ picture, face, landmarks, title }: { picture: Chosen; face: FaceDetail; landmarks: boolean; title: string }) {
  const sure = (seen: { Confidence: number }) => <span class="faint">{seen.Confidence.toFixed(0)} %</span>;
  const facts: [string, preact.ComponentChildren][] = [["Confidence", `${face.Confidence.toFixed(2)} %`]];
  if (face.AgeRange) facts.push(["Age", `${face.AgeRange.Low} to ${face.AgeRange.High}`]);
  if (face.Gender) facts.push(["Gender", <>{face.Gender.Value} {sure(face.Gender)}</>]);
  for (const [name, seen] of [["Smile", face.Smile], ["Eyes open", face.EyesOpen], ["Mouth open", face.MouthOpen]] as const) {
    if (seen) facts.push([name, <>{seen.Value ? "Yes" : "No"} {sure(seen)}</>]);
  }
  if (face.Emotions?.length) {
    facts.push(["Emotions", face.Emotions.filter((e, i) => i === 0 || e.Confidence >= 1).slice(0, 3).map((e, i) => <span key={e.Type}>{i > 0 && ", "}{lower(e.Type)} {sure(e)}</span>)]);
  }
  if (face.Pose) facts.push(["Pose in degrees", `roll ${Math.round(face.Pose.Roll)}, yaw ${Math.round(face.Pose.Yaw)}, pitch ${Math.round(face.Pose.Pitch)}`]);
  if (face.Quality) facts.push(["Quality, 0 to 100", `brightness ${face.Quality.Brightness.toFixed(0)}, sharpness ${face.Quality.Sharpness.toFixed(0)}`]);
  return (
    <section class="details" aria-label={title}>
      <h4>{title}</h4>
      <Crop picture={picture} box={face.BoundingBox} size={180} landmarks={landmarks ? face.Landmarks : undefined} />
      <dl class="facts">{facts.map(([name, value]) => <div key={name}><dt>{name}</dt><dd>{value}</dd></div>)}</dl>
    </section>
  );
}
