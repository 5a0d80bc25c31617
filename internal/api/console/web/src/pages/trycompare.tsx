import { useRef, useState } from "preact/hooks";
import type { Call } from "../code.ts";
import { counted } from "../format.ts";
import { useLoaded } from "../hooks.ts";
import { CodePanel } from "../parts/codepanel.tsx";
import { Crop, Figure } from "../parts/figure.tsx";
import { Lines } from "../parts/lines.tsx";
import { Failure } from "../parts/notice.tsx";
import { Picker } from "../parts/picker.tsx";
import { Similarity, Threshold } from "../parts/threshold.tsx";
import type { Chosen } from "../picture/load.ts";
import { usePicture } from "../picture/use.ts";
import { noFace } from "../picture/noface.ts";
import { Refusal } from "../server/client.ts";
import type { Calibrated, CompareAnswer, FaceDetail } from "../server/types.ts";
import { useSession } from "../session.ts";

const usualThreshold = 80;

/** The largest face of a picture beside all faces of another. As a search does, it asks once with the threshold 0. */
export function TryCompare({ picture, points, shown }: { picture: Chosen; points: (version?: string) => Calibrated[] | undefined; shown: boolean }) {
  const session = useSession();
  const [other, setOther] = usePicture();
  const [threshold, setThreshold] = useState(usualThreshold);
  const pair = useRef<HTMLDivElement>(null);
  const call = (target: Chosen, least: number): Call => (
    { operation: "CompareFaces", input: { SourceImage: picture.picture, TargetImage: target.picture, SimilarityThreshold: least } });
  const compared = useLoaded<CompareAnswer | null>((signal) => {
    if (!other) return Promise.resolve(null);
    const { operation, input } = call(other, 0);
    return session.client.call<CompareAnswer>(operation, input, signal).catch(async (error) => {
      // The API does not say in which of the pictures there is no face.
      if (!(error instanceof Refusal) || error.code !== "InvalidParameterException" || !session.may("DetectFaces")) throw error;
      for (const [name, p] of [["the first picture", picture], ["the second picture", other]] as const) {
        const seen = await session.client.call<{ FaceDetails: FaceDetail[] }>("DetectFaces", { Image: p.picture }, signal);
        if (seen.FaceDetails.length === 0) throw noFace(p, name);
      }
      throw error;
    });
  }, [session, picture, other]);
  const answer = compared.loading ? null : compared.value;
  const faces = answer?.FaceMatches ?? [];
  const matching = faces.filter((match) => match.Similarity >= threshold);
  const calibration = points();
  return (
    <div class="stack compare">
      <div class="pair" ref={pair}>
        <Figure picture={picture} marks={answer ? [{ box: answer.SourceImageFace.BoundingBox, name: "compared", kind: "chosen" }] : []} />
        <div class="stack">
          {other && <Figure picture={other} marks={faces.map((match) => (
            { box: match.Face.BoundingBox, name: match.Similarity.toFixed(1), kind: match.Similarity >= threshold ? "chosen" as const : "dim" as const }))} />}
          <Picker title="A picture to compare it with" chosen={other} onChosen={setOther} />
        </div>
        {answer && shown && <Lines frame={pair} from={answer.SourceImageFace.BoundingBox} to={matching.map((match) => match.Face.BoundingBox)} />}
      </div>
      <Failure error={compared.error} again={compared.reload} />
      {answer && <Threshold value={threshold} onChange={setThreshold} points={calibration} />}
      <p role="status" class="faint">
        {other && compared.loading && "Comparing …"}
        {answer && `${matching.length} of ${counted(faces.length, "face")} of the second picture ${matching.length === 1 ? "matches" : "match"} the largest of the first. Compared once, with the threshold 0.`}
      </p>
      {faces.length > 0 && (
        <ol class="cards" aria-label="Faces of the second picture">
          {faces.map((match, i) => (
            <li key={i} class="card row">
              <Crop picture={other!} box={match.Face.BoundingBox} />
              <Similarity value={match.Similarity} threshold={threshold} points={calibration} />
            </li>
          ))}
        </ol>
      )}
      {other && <CodePanel calls={[call(other, threshold)]} />}
    </div>
  );
}
