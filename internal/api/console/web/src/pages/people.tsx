import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { count, counted } from "../format.ts";
import { useAction, useLoaded, useSettled } from "../hooks.ts";
import { Failure, Waiting } from "../parts/notice.tsx";
import { seeThumbnails, Thumbnail } from "../parts/thumbnail.tsx";
import { Threshold } from "../parts/threshold.tsx";
import { Refusal, type Client } from "../server/client.ts";
import type { Face, GroupsAnswer, Models } from "../server/types.ts";
import { useSession } from "../session.ts";
import { batches } from "./facechanges.tsx";

const mostAssociated = 100; // faces of a call
const mostShown = 12; // faces of a group, until more are asked for

/** Faces that are likely to be of one person. The key stays while faces are split off or come to it. */
interface Group { key: string; faces: Face[] }

/** Something that was done, and how it is undone. */
interface Step { text: string; groups: Group[]; aside: Set<string>; undo?: (signal: AbortSignal) => Promise<void> }

/** The faces of a collection that belong to no user, grouped by person. Groups become users; before that they can be merged, split and put aside. */
export function People({ collection, version, may, onChanged }: { collection: string; version: string; may: (operation: string) => boolean; onChanged: () => void }) {
  const session = useSession();
  const models = useLoaded<Models>((signal) => session.client.read("models", {}, signal), [session]);
  const points = models.value?.Models.find((model) => model.Version === version)?.Calibration ?? undefined;
  const [threshold, setThreshold] = useState(95);
  const settled = useSettled(threshold, 400);
  const answer = useLoaded<GroupsAnswer>(
    (signal) => session.client.post(`collections/${encodeURIComponent(collection)}/groups`, { SimilarityThreshold: settled }, signal), [session, collection, settled]);
  const [groups, setGroups] = useState<Group[]>([]);
  const [steps, setSteps] = useState<Step[]>([]);
  const [marked, setMarked] = useState(new Set<string>());
  const [aside, setAside] = useAside(session.permissions.Account + "/" + session.permissions.Region + "/" + collection);
  const [showAside, setShowAside] = useState(false);
  const status = useRef<HTMLDivElement>(null);
  useEffect(() => {
    setGroups((answer.value?.Groups ?? []).map(({ Faces }) => ({ key: Faces[0]!.FaceId, faces: Faces })));
    setSteps([]);
    setMarked(new Set());
  }, [answer.value]);

  const isAside = (group: Group) => group.faces.every((face) => aside.has(face.FaceId));
  const shown = groups.filter((group) => isAside(group) === showAside);
  const hidden = groups.length - shown.length;

  /** Does something to the groups, which can be undone. */
  const did = (text: string, after: Group[], others: Set<string> = aside, undo?: Step["undo"]) => {
    setSteps([...steps, { text, groups, aside, ...(undo && { undo }) }]);
    setGroups(after);
    setAside(others);
    setMarked(new Set());
    status.current?.focus();
  };
  const undo = useAction(async (signal) => {
    const last = steps[steps.length - 1]!;
    await last.undo?.(signal);
    setSteps(steps.slice(0, -1));
    setGroups(last.groups);
    setAside(last.aside);
    setMarked(new Set());
    if (last.undo) onChanged();
  });
  const merge = () => {
    const [first, ...rest] = groups.filter((group) => marked.has(group.key));
    const all = { key: first!.key, faces: [first!, ...rest].flatMap((group) => group.faces) };
    did(`${counted(rest.length + 1, "group")} were merged.`, groups.flatMap((group) => (group === first ? [all] : rest.includes(group) ? [] : [group])));
  };
  const split = (group: Group, chosen: Set<string>) => {
    const off = group.faces.filter((face) => chosen.has(face.FaceId)), left = group.faces.filter((face) => !chosen.has(face.FaceId));
    // The larger part keeps the place; a single face is no group, and stays in the collection.
    const parts = [left, off].map((faces) => ({ key: faces[0]!.FaceId, faces }));
    did(`${counted(off.length, "face")} split off.`, groups.flatMap((other) => (other === group ? parts : [other])));
  };
  const put = (group: Group) => {
    const others = new Set(aside);
    for (const face of group.faces) if (showAside) others.delete(face.FaceId); else others.add(face.FaceId);
    did(showAside ? "The group was taken back." : "The group was put aside.", groups, others);
  };
  const made = (group: Group, user: string, given: number, undoIt: Step["undo"]) => {
    did(`${counted(given, "face")} given to the user ${user}.`, groups.filter((other) => other !== group), aside, undoIt);
    onChanged();
  };
  const last = steps[steps.length - 1];
  return (
    <section aria-labelledby="people-title">
      <h2 id="people-title" class="hidden">People</h2>
      <p>Faces that belong to no user, grouped by person. Name a group to make a user of it.</p>
      <Threshold value={threshold} onChange={setThreshold} points={points}
        note="Groups are joined while their faces are so similar on average: a higher threshold makes more and purer groups." />
      <Failure error={answer.error} again={answer.reload} />
      {answer.loading && <Waiting what="Comparing faces" />}
      <div ref={status} tabIndex={-1} class="did">
        {last && (
          <div class="notice good row apart" role="status">
            <span>{last.text}</span>
            <button type="button" disabled={undo.busy} onClick={() => void undo.run()}>Undo</button>
          </div>
        )}
        <Failure error={undo.error} />
      </div>
      {answer.value && !answer.error && (
        <>
          <div class="row apart">
            <p class="faint" role="status">
              {count(answer.value.GroupedFaceCount)} of {counted(answer.value.FaceCount, "face")} without a user are in {counted(answer.value.GroupCount, "group")}
              {answer.value.GroupCount > answer.value.Groups.length && `, of which the ${count(answer.value.Groups.length)} largest are shown`}.
            </p>
            {(showAside || hidden > 0) && (
              <button type="button" class="quiet" aria-pressed={showAside} onClick={() => { setShowAside(!showAside); setMarked(new Set()); }}>
                {showAside ? "Back to the groups" : `${counted(hidden, "group")} put aside`}
              </button>
            )}
          </div>
          {marked.size > 1 && (
            <div class="marked row" role="group" aria-label="Marked groups">
              <span role="status">{counted(marked.size, "group")} marked</span>
              <button type="button" class="primary" onClick={merge}>Merge</button>
              <button type="button" class="quiet" onClick={() => setMarked(new Set())}>Clear</button>
            </div>
          )}
          {shown.length === 0 && (
            <div class="empty"><p>{showAside ? "No group is put aside." : answer.value.FaceCount === 0 ? "Every face belongs to a user." : "No two faces without a user are similar enough."}</p></div>
          )}
          <ul class="groups">
            {shown.map((group, i) => (
              <GroupCard key={group.key + group.faces.length} number={i + 1} group={group} collection={collection} client={session.client} may={may} aside={showAside}
                marked={marked.has(group.key)} onMark={(on) => setMarked((before) => { const after = new Set(before); if (on) after.add(group.key); else after.delete(group.key); return after; })}
                onSplit={(chosen) => split(group, chosen)} onAside={() => put(group)} onMade={(user, given, undoIt) => made(group, user, given, undoIt)} />
            ))}
          </ul>
        </>
      )}
    </section>
  );
}

/** A group: its faces, and what can be done with it. */
function GroupCard({ number, group, collection, client, may, aside, marked, onMark, onSplit, onAside, onMade }: {
  number: number; group: Group; collection: string; client: Client; may: (operation: string) => boolean; aside: boolean; marked: boolean; onMark: (on: boolean) => void;
  onSplit: (chosen: Set<string>) => void; onAside: () => void; onMade: (user: string, given: number, undo: Step["undo"]) => void;
}) {
  const [user, setUser] = useState("");
  const [chosen, setChosen] = useState(new Set<string>());
  const [all, setAll] = useState(false);
  // The same tokens when it is tried again: what was done is not done twice.
  const tokens = useMemo(() => Array.from({ length: 1 + Math.ceil(group.faces.length / mostAssociated) }, () => crypto.randomUUID()), [user, group]);
  const make = useAction(async (signal) => {
    let created = true;
    try {
      await client.call("CreateUser", { CollectionId: collection, UserId: user, ClientRequestToken: tokens[0] }, signal);
    } catch (error) {
      if (!(error instanceof Refusal && error.code === "ConflictException")) throw error;
      created = false; // the group is given to the user that is there
    }
    const given: string[] = [];
    for (const [i, FaceIds] of batches(group.faces.map((face) => face.FaceId), mostAssociated).entries()) {
      const answer = await client.call<{ AssociatedFaces?: { FaceId: string }[] }>("AssociateFaces",
        { CollectionId: collection, UserId: user, FaceIds, UserMatchThreshold: 0, ClientRequestToken: tokens[i + 1] }, signal);
      given.push(...(answer.AssociatedFaces ?? []).map((face) => face.FaceId));
    }
    onMade(user, given.length, async (stop) => {
      if (created) {
        await client.call("DeleteUser", { CollectionId: collection, UserId: user }, stop);
        return;
      }
      for (const FaceIds of batches(given, mostAssociated)) await client.call("DisassociateFaces", { CollectionId: collection, UserId: user, FaceIds }, stop);
    });
  });
  const faces = all ? group.faces : group.faces.slice(0, mostShown);
  const name = `Group ${number}`;
  return (
    <li class="card group" aria-label={name}>
      <div class="row apart">
        <label class="check"><input type="checkbox" checked={marked} onChange={(event) => onMark(event.currentTarget.checked)} /><strong>{name}</strong> <span class="faint">{counted(group.faces.length, "face")}</span></label>
        <button type="button" class="quiet" onClick={onAside}>{aside ? "Take back" : "Put aside"}</button>
      </div>
      <ul class="wall" aria-label={`Faces of group ${number}`}>
        {faces.map((face) => {
          const on = chosen.has(face.FaceId);
          return (
            <li key={face.FaceId}>
              <button type="button" aria-pressed={on} title={face.FaceId} onClick={() => setChosen((before) => { const after = new Set(before); if (on) after.delete(face.FaceId); else after.add(face.FaceId); return after; })}>
                {may(seeThumbnails) && <Thumbnail collection={collection} face={face.FaceId} size={64} />}
                <span class="label">{face.ExternalImageId ?? face.FaceId.slice(0, 8)}</span>
              </button>
            </li>
          );
        })}
      </ul>
      {group.faces.length > mostShown && <button type="button" class="quiet" onClick={() => setAll(!all)}>{all ? "Show fewer" : `Show all ${count(group.faces.length)}`}</button>}
      <div class="row">
        {chosen.size > 0 && chosen.size < group.faces.length && <button type="button" onClick={() => onSplit(chosen)}>Split off {counted(chosen.size, "face")}</button>}
        {may("CreateUser") && may("AssociateFaces") && !aside && (
          <form class="row" onSubmit={(event) => { event.preventDefault(); void make.run(); }}>
            <input aria-label={`User of group ${number}`} placeholder="Name of the user" value={user} required maxLength={128} pattern="[a-zA-Z0-9_.\-:]+" title="Letters, digits, and _ . - :" autocomplete="off"
              spellcheck={false} autocapitalize="none" onInput={(event) => setUser(event.currentTarget.value)} />
            <button type="submit" class="primary" disabled={make.busy}>{make.busy ? "Making …" : "Make user"}</button>
          </form>
        )}
      </div>
      <Failure error={make.error} />
    </li>
  );
}

/** The faces whose groups were put aside, kept by this browser for a collection. */
function useAside(collection: string): [Set<string>, (faces: Set<string>) => void] {
  const key = "recollect-aside:" + collection;
  const [aside, setAside] = useState(() => {
    try {
      return new Set(JSON.parse(localStorage.getItem(key) ?? "[]") as string[]);
    } catch {
      return new Set<string>();
    }
  });
  const put = (faces: Set<string>) => {
    setAside(faces);
    if (faces.size) localStorage.setItem(key, JSON.stringify([...faces]));
    else localStorage.removeItem(key);
  };
  return [aside, put];
}
