import { useState } from "preact/hooks";
import type { Call } from "../code.ts";
import { count, counted } from "../format.ts";
import { useAction } from "../hooks.ts";
import { CodePanel } from "../parts/codepanel.tsx";
import { Figure } from "../parts/figure.tsx";
import { Failure } from "../parts/notice.tsx";
import { seeThumbnails, Thumbnail } from "../parts/thumbnail.tsx";
import { Similarity, Threshold } from "../parts/threshold.tsx";
import type { Chosen } from "../picture/load.ts";
import { address } from "../router.ts";
import type { Box, Calibrated, FaceMatch, SearchAnswer, SearchUsersAnswer, UserMatch } from "../server/types.ts";
import { useSession } from "../session.ts";

/** How many matches are asked for. */
const most = 100;
const usualThreshold = 80;

type What = "faces" | "users";
interface Found { what: What; box: Box; version: string; matches: (FaceMatch | UserMatch)[] }

/**
 * Searches a collection for the largest face of a picture. It is done once with the threshold 0, and the slider hides what is below another: what is left
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
  const call = (least: number): Call => (what === "faces"
    ? { operation: "SearchFacesByImage", input: { CollectionId: collection, Image: picture.picture, FaceMatchThreshold: least, MaxFaces: most } }
    : { operation: "SearchUsersByImage", input: { CollectionId: collection, Image: picture.picture, UserMatchThreshold: least, MaxUsers: most } });
  const search = useAction(async (signal): Promise<Found> => {
    const { operation, input } = call(0);
    if (what === "faces") {
      const answer = await session.client.call<SearchAnswer>(operation, input, signal);
      return { what, box: answer.SearchedFaceBoundingBox, version: answer.FaceModelVersion, matches: answer.FaceMatches };
    }
    const answer = await session.client.call<SearchUsersAnswer>(operation, input, signal);
    return { what, box: answer.SearchedFace.FaceDetail.BoundingBox, version: answer.FaceModelVersion, matches: answer.UserMatches };
  });
  const found = !search.busy && search.result?.what === what ? search.result : undefined;
  const shown = found?.matches.filter((match) => match.Similarity >= threshold) ?? [];
  const calibration = found && points(found.version);
  return (
    <div class="beside">
      <Figure picture={picture} marks={found ? [{ box: found.box, name: "searched", kind: "chosen" }] : []} />
      <div class="stack">
        <form class="row" onSubmit={(event) => { event.preventDefault(); if (!search.busy) void search.run(); }}>
          {offered.length > 1 && (
            <div class="tabs" role="group" aria-label="What to search">
              {offered.map(([name, title]) => <button key={name} type="button" aria-pressed={name === what} onClick={() => setWhat(name)}>{title}</button>)}
            </div>
          )}
          <button type="submit" class="primary" disabled={!collection || !ready} aria-disabled={search.busy}>Search</button>
          <span class="faint">{collection ? "for the largest face of the picture" : "Name a collection first."}</span>
        </form>
        <Failure error={search.error} />
        {found && <Threshold value={threshold} onChange={setThreshold} points={calibration} note={what === "users" ? "Measured between faces; a user is searched by all of its faces at once." : ""} />}
        <p role="status" class="faint">{search.busy ? "Searching …" : found && told(found, shown.length)}</p>
        {shown.length > 0 && (
          <ol class="cards" aria-label={what === "faces" ? "Faces that match" : "Users that match"}>
            {shown.map((match) => (
              <li key={"Face" in match ? match.Face.FaceId : match.User.UserId} class="card">
                {"Face" in match ? <FaceCard match={match} collection={collection} seen={may(seeThumbnails)} /> : <UserCard match={match} collection={collection} />}
                <Similarity value={match.Similarity} threshold={threshold} points={calibration} />
              </li>
            ))}
          </ol>
        )}
        {collection && <CodePanel calls={[call(threshold)]} />}
      </div>
    </div>
  );
}

/** Says what is shown of what was found. */
function told({ matches, what }: Found, shown: number): string {
  const one = what === "faces" ? "face" : "user";
  if (matches.length === 0) return what === "faces" ? "The collection has no faces." : "The collection has no users with faces.";
  if (shown === most) return `The ${most} most similar are shown; more may reach the threshold.`;
  const hidden = matches.length - shown;
  return `${counted(shown, one)} shown${hidden > 0 ? `, ${count(hidden)} below the threshold hidden` : ""}. Searched once, with the threshold 0.`;
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
