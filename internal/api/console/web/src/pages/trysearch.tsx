import { useState } from "preact/hooks";
import type { Call } from "../code.ts";
import { count, counted } from "../format.ts";
import { useAction } from "../hooks.ts";
import { CodePanel } from "../parts/codepanel.tsx";
import { Crop, Figure } from "../parts/figure.tsx";
import { Failure } from "../parts/notice.tsx";
import { seeThumbnails, Thumbnail } from "../parts/thumbnail.tsx";
import { Similarity, Threshold } from "../parts/threshold.tsx";
import type { Chosen } from "../picture/load.ts";
import { noFace } from "../picture/noface.ts";
import { address } from "../router.ts";
import type { Box, Calibrated, FaceMatch, SearchPictureAnswer, UserMatch } from "../server/types.ts";
import { useSession } from "../session.ts";

/** How many matches of each face are asked for. */
const most = 50;
const usualThreshold = 80;

type What = "faces" | "users";
type Match = FaceMatch | UserMatch;
interface Found { what: What; version: string; faces: { box: Box; matches: Match[] }[] }

/** What a match is called: its user, what the caller's records call it, or its id. */
function nameOf(match: Match): string {
  return "Face" in match ? match.Face.UserId ?? match.Face.ExternalImageId ?? match.Face.FaceId.slice(0, 8) : match.User.UserId;
}

/**
 * Searches a collection for every face of a picture. It is done once with the threshold 0, and the slider hides what is below another: what is left
 * is what a search with that threshold brings, since matches come in order of similarity.
 */
export function TrySearch({ picture, collection, ready, may, points }: {
  picture: Chosen; collection: string; ready: boolean; may: (operation: string) => boolean; points: (version?: string) => Calibrated[] | undefined;
}) {
  const session = useSession();
  const offered = ([["faces", "Faces", "SearchFacesByImage"], ["users", "Users", "SearchUsersByImage"]] as const).filter(([, , operation]) => may(operation));
  const [wanted, setWhat] = useState<What>("faces");
  const what = offered.some(([name]) => name === wanted) ? wanted : offered[0]?.[0] ?? "faces";
  const [threshold, setThreshold] = useState(usualThreshold);
  const [chosen, setChosen] = useState(0);
  const search = useAction(async (signal): Promise<Found> => {
    const input = { CollectionIds: [collection], Image: picture.picture, SearchFor: what.toUpperCase(), MatchThreshold: 0, MaxMatches: most };
    const answer = await session.client.post<SearchPictureAnswer>("search", input, signal);
    if (answer.SearchedFaces.length === 0) throw noFace(picture);
    setChosen(0);
    return { what, version: answer.FaceModelVersion, faces: answer.SearchedFaces.map((f) => ({ box: f.FaceDetail.BoundingBox, matches: f.FaceMatches ?? f.UserMatches ?? [] })) };
  });
  const found = !search.busy && search.result?.what === what ? search.result : undefined;
  const faces = (found?.faces ?? []).map(({ box, matches }, i) => {
    const shown = matches.filter((match) => match.Similarity >= threshold);
    const best = shown[0];
    return { box, matches, shown, title: best ? `${nameOf(best)} ${best.Similarity.toFixed(1)}` : "no match", number: i + 1 };
  });
  const face = faces[chosen];
  const calibration = found && points(found.version);
  return (
    <div class="beside">
      <Figure picture={picture} onPick={setChosen} marks={faces.map((f, i) => ({
        box: f.box, name: faces.length === 1 || i === chosen ? f.title : f.shown[0] ? nameOf(f.shown[0]) : String(f.number),
        ...(i === chosen ? { kind: "chosen" as const } : f.shown.length === 0 && { kind: "dim" as const }),
      }))} />
      <div class="stack">
        <form class="row" onSubmit={(event) => { event.preventDefault(); if (!search.busy) void search.run(); }}>
          {offered.length > 1 && (
            <div class="tabs" role="group" aria-label="What to search">
              {offered.map(([name, title]) => <button key={name} type="button" aria-pressed={name === what} onClick={() => setWhat(name)}>{title}</button>)}
            </div>
          )}
          <button type="submit" class="primary" disabled={!collection || !ready} aria-disabled={search.busy}>Search</button>
          <span class="faint">{collection ? "for every face of the picture" : "Name a collection first."}</span>
        </form>
        <Failure error={search.error} />
        {found && <Threshold value={threshold} onChange={setThreshold} points={calibration} note={what === "users" ? "Measured between faces; a user is searched by all of its faces at once." : ""} />}
        {faces.length > 1 && (
          <div class="faces" role="group" aria-label="Faces of the picture, the largest first">
            {faces.map((f, i) => (
              <button key={i} type="button" aria-pressed={i === chosen} aria-label={`Face ${f.number}: ${f.title}`} onClick={() => setChosen(i)}>
                <Crop picture={picture} box={f.box} /><span class="label" aria-hidden="true">{f.shown[0] ? nameOf(f.shown[0]) : f.title}</span>{f.shown[0] && <>{" "}<span aria-hidden="true">{f.shown[0].Similarity.toFixed(1)}</span></>}
              </button>
            ))}
          </div>
        )}
        <p role="status" class="faint">{search.busy ? "Searching …" : found && face && told(found.what, faces.length, faces.filter((f) => f.shown.length > 0).length, face)}</p>
        {face && face.shown.length > 0 && (
          <ol class="cards" aria-label={what === "faces" ? "Faces that match" : "Users that match"}>
            {face.shown.map((match) => (
              <li key={"Face" in match ? match.Face.FaceId : match.User.UserId} class="card">
                {"Face" in match ? <FaceCard match={match} collection={collection} seen={may(seeThumbnails)} /> : <UserCard match={match} collection={collection} />}
                <Similarity value={match.Similarity} threshold={threshold} points={calibration} />
              </li>
            ))}
          </ol>
        )}
        {collection && <Program picture={picture} collection={collection} what={what} threshold={threshold} />}
      </div>
    </div>
  );
}

/** The search from a program. The API itself searches for the largest face alone. */
function Program({ picture, collection, what, threshold }: { picture: Chosen; collection: string; what: What; threshold: number }) {
  const call: Call = what === "faces"
    ? { operation: "SearchFacesByImage", input: { CollectionId: collection, Image: picture.picture, FaceMatchThreshold: threshold, MaxFaces: most } }
    : { operation: "SearchUsersByImage", input: { CollectionId: collection, Image: picture.picture, UserMatchThreshold: threshold, MaxUsers: most } };
  return (
    <div>
      <CodePanel calls={[call]} title="The largest face from a program" />
      <p class="faint">Every face from a shell: <code>recollect search --all {picture.name} --collection {collection} --threshold {threshold}{what === "users" && " --users"}</code></p>
    </div>
  );
}

/** Says what is shown of what was found. */
function told(what: What, faces: number, matching: number, { matches, shown, number }: { matches: Match[]; shown: Match[]; number: number }): string {
  const one = what === "faces" ? "face" : "user";
  if (matches.length === 0) return what === "faces" ? "The collection has no faces." : "The collection has no users with faces.";
  const whole = faces > 1 ? `${count(matching)} of ${counted(faces, "face")} of the picture ${matching === 1 ? "matches" : "match"}. Of face ${number}: ` : "";
  if (shown.length === most) return `${whole}The ${most} most similar are shown; more may reach the threshold.`;
  const hidden = matches.length - shown.length;
  return `${whole}${counted(shown.length, one)} shown${hidden > 0 ? `, ${count(hidden)} below the threshold hidden` : ""}. Searched once, with the threshold 0.`;
}

/** Seen, it has the picture that the server keeps of the face. */
function FaceCard({ match: { Face: face }, collection, seen }: { match: FaceMatch; collection: string; seen: boolean }) {
  return (
    <div class={seen ? "pictured" : ""}>
      {seen && <Thumbnail collection={collection} face={face.FaceId} />}
      <div>
        <h3>{face.ExternalImageId ?? <span class="faint">No external id</span>}</h3>
        {face.UserId && <p>of the user <a href={address(["collections", collection], { user: face.UserId })}>{face.UserId}</a></p>}
        <p class="faint"><code>{face.FaceId}</code></p>
      </div>
    </div>
  );
}

function UserCard({ match: { User: user }, collection }: { match: UserMatch; collection: string }) {
  return <h3><a href={address(["collections", collection], { user: user.UserId })}>{user.UserId}</a></h3>;
}
