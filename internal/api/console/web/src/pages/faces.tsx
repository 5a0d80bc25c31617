import { useState } from "preact/hooks";
import type { Call } from "../code.ts";
import { counted } from "../format.ts";
import { useLoaded, useSettled } from "../hooks.ts";
import { CodePanel } from "../parts/codepanel.tsx";
import { Found } from "../parts/found.tsx";
import { Failure, Waiting } from "../parts/notice.tsx";
import { Pager, usePaging } from "../parts/pager.tsx";
import { seeThumbnails, Thumbnail } from "../parts/thumbnail.tsx";
import { address, go } from "../router.ts";
import type { Face } from "../server/types.ts";
import { useSession } from "../session.ts";
import { useWalk } from "../walk.ts";
import { Associate } from "./associate.tsx";
import { DeleteFaces, Disassociate } from "./facechanges.tsx";

const pageSize = 50;
const mostFound = 500;

interface Page { Faces: Face[]; NextToken?: string }

/** The faces of a collection, all or those of one user: pages of them, found by external id, and what can be done with those that are marked. */
export function Faces({ collection, user, may, onChanged }: { collection: string; user: string; may: (operation: string) => boolean; onChanged: () => void }) {
  const session = useSession();
  const paging = usePaging();
  const [text, setText] = useState("");
  const part = useSettled(text.trim(), 250).toLowerCase();
  const [marked, setMarked] = useState(new Map<string, Face>());
  const [doing, setDoing] = useState<"associate" | "disassociate" | "delete" | null>(null);
  const [done, setDone] = useState<string[]>([]);
  const [changes, setChanges] = useState(0);
  const input = { CollectionId: collection, MaxResults: pageSize, ...(user && { UserId: user }) };
  const list = (size: number, token: string | undefined, signal: AbortSignal): Promise<Page> =>
    session.client.call("ListFaces", { ...input, MaxResults: size, ...(token && { NextToken: token }) }, signal);
  const page = useLoaded((signal) => list(pageSize, paging.token, signal), [session, collection, user, paging.token, changes]);
  const walk = useWalk<Face>(
    async (token, signal) => {
      const answer = await list(4096, token, signal);
      return { items: answer.Faces, next: answer.NextToken };
    },
    part ? (face) => (face.ExternalImageId ?? "").toLowerCase().includes(part) : null, mostFound, [session, collection, user, part, changes]);

  const faces = part ? walk?.found ?? [] : page.value?.Faces ?? [];
  const toggle = (face: Face, on: boolean) => setMarked((before) => {
    const after = new Map(before);
    if (on) after.set(face.FaceId, face); else after.delete(face.FaceId);
    return after;
  });
  const changed = (what: string[]) => {
    setDoing(null);
    setDone(what);
    setMarked(new Map());
    setChanges((n) => n + 1);
    onChanged();
  };
  const chosen = [...marked.values()];
  const mayMark = may("AssociateFaces") || may("DisassociateFaces") || may("DeleteFaces");
  const calls: Call[] = [{ operation: "ListFaces", input }];
  return (
    <section aria-labelledby="faces-title">
      <h2 id="faces-title" class="hidden">Faces</h2>
      <div class="row filters">
        <label class="grow"><span class="hidden">Filter by external id</span>
          <input type="search" placeholder="External id contains" value={text} maxLength={255} spellcheck={false} autocapitalize="none" onInput={(event) => setText(event.currentTarget.value)} />
        </label>
        {user && <span class="chip">of the user {user} <button type="button" class="quiet" aria-label="Show the faces of all users" onClick={() => go(["collections", collection])}>✕</button></span>}
      </div>
      {walk && <Found walk={walk} part={part} what="face" />}
      {done.length > 0 && <div class="notice good" role="status">{done.map((line) => <p key={line}>{line}</p>)}</div>}
      {chosen.length > 0 && (
        <div class="marked row" role="group" aria-label="Marked faces">
          <span role="status">{counted(chosen.length, "face")} marked</span>
          {may("AssociateFaces") && <button type="button" onClick={() => setDoing("associate")}>Associate with a user</button>}
          {may("DisassociateFaces") && chosen.some((face) => face.UserId) && <button type="button" onClick={() => setDoing("disassociate")}>Disassociate</button>}
          {may("DeleteFaces") && <button type="button" class="danger" onClick={() => setDoing("delete")}>Delete</button>}
          <button type="button" class="quiet" onClick={() => setMarked(new Map())}>Clear</button>
        </div>
      )}
      <Failure error={page.error} again={page.reload} />
      {page.loading && !page.value && <Waiting what="Loading faces" />}
      {page.value && faces.length === 0 && !part && paging.tokens.length === 1 && (
        <div class="empty"><p>{user ? "This user has no faces." : "There are no faces here yet."}</p></div>
      )}
      {faces.length > 0 && (
        <table class="list" aria-busy={page.loading}>
          <caption class="hidden">Faces</caption>
          <thead>
            <tr>
              {mayMark && <th scope="col"><input type="checkbox" aria-label="Mark all faces of this page" checked={faces.every((face) => marked.has(face.FaceId))}
                onChange={(event) => { for (const face of faces) toggle(face, event.currentTarget.checked); }} /></th>}
              {may(seeThumbnails) && <th scope="col"><span class="hidden">Picture</span></th>}
              <th scope="col">External id</th><th scope="col">Face id</th><th scope="col">User</th><th scope="col" class="number">Confidence</th>
            </tr>
          </thead>
          <tbody>
            {faces.map((face) => (
              <tr key={face.FaceId}>
                {mayMark && <td class="mark-cell"><input type="checkbox" aria-label={`Mark ${face.ExternalImageId ?? face.FaceId}`} checked={marked.has(face.FaceId)} onChange={(event) => toggle(face, event.currentTarget.checked)} /></td>}
                {may(seeThumbnails) && <td class="thumbnail-cell"><Thumbnail collection={collection} face={face.FaceId} size={44} /></td>}
                <th scope="row">{face.ExternalImageId ?? <span class="faint">none</span>}</th>
                <td data-label="Face id"><code>{face.FaceId}</code></td>
                <td data-label="User">{face.UserId && <a href={address(["collections", collection], { user: face.UserId })}>{face.UserId}</a>}</td>
                <td data-label="Confidence" class="number">{face.Confidence.toFixed(1)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {!part && <Pager paging={paging} next={page.value?.NextToken} busy={page.loading} what="faces" />}
      <CodePanel calls={calls} />
      {doing === "associate" && <Associate collection={collection} faces={chosen} may={may} onClose={() => setDoing(null)} onDone={changed} />}
      {doing === "disassociate" && <Disassociate collection={collection} faces={chosen} onClose={() => setDoing(null)} onDone={changed} />}
      {doing === "delete" && <DeleteFaces collection={collection} faces={chosen} onClose={() => setDoing(null)} onDone={changed} />}
    </section>
  );
}
