import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { useLoaded, useSettled } from "../hooks.ts";
import { Picker } from "../parts/picker.tsx";
import { usePicture } from "../picture/use.ts";
import { address } from "../router.ts";
import type { Models } from "../server/types.ts";
import { usePermissions, useSession } from "../session.ts";
import { CollectionField } from "./collectionfield.tsx";
import { TryCompare } from "./trycompare.tsx";
import { TryFaces } from "./tryfaces.tsx";
import { TryIndex } from "./tryindex.tsx";
import { TrySearch } from "./trysearch.tsx";
import { TryText } from "./trytext.tsx";

/** A picture, and all that the API does with one. What is offered is what the key may do, to the collection that is named. */
export function TryIt({ query }: { query: URLSearchParams }) {
  const session = useSession();
  const [picture, setPicture] = usePicture();
  const asked = query.get("collection") ?? "";
  const [collection, setCollection] = useState(asked);
  // Before the page is seen: an effect after that would overwrite what is typed by then.
  useLayoutEffect(() => { if (asked) setCollection(asked); }, [asked]);
  const settled = useSettled(collection, 250);
  const known = usePermissions(settled || null);
  const last = useRef(session.may);
  if (known) last.current = known;
  const may = last.current;
  const models = useLoaded<Models>((signal) => session.client.read("models", {}, signal), [session]);
  const points = (version?: string) => models.value?.Models.find((m) => m.Version === (version ?? models.value?.DefaultModel))?.Calibration ?? undefined;
  const bounds = (filter: string) => models.value?.QualityFilters.find((f) => f.Name === filter)?.Bounds;

  const offered: [string, string, boolean][] = [
    ["faces", "Faces", session.may("DetectFaces")],
    ["search", "Search", may("SearchFacesByImage") || may("SearchUsersByImage")],
    ["index", "Index", may("IndexFaces")],
    ["compare", "Compare", session.may("CompareFaces")],
    ["text", "Text", session.may("DetectText")],
  ];
  const parts = offered.filter(([, , allowed]) => allowed);
  const wanted = query.get("part");
  const part = parts.find(([name]) => name === wanted)?.[0] ?? parts[0]?.[0];
  const ready = known !== null && settled === collection;
  // What is not looked at is not read: text takes as long as the faces.
  const seen = useRef(new Set<string>()).current;
  if (part) seen.add(part);
  return (
    <>
      <h1>Try it</h1>
      <p>The picture goes to this server alone, which keeps nothing of it unless it is indexed.</p>
      <div class="tryhead">
        <Picker title="A picture with faces" chosen={picture} greedy onChosen={setPicture} />
        {(part === "search" || part === "index" || parts.length === 0 || !picture) && (
          <CollectionField value={collection} onChange={setCollection} mayCreate={session.may("CreateCollection")} />
        )}
      </div>
      {parts.length === 0 && ready && <p>Your key may not do this to all collections. Name one that it may search or index into.</p>}
      {picture && part && (
        <>
          <nav class="subnav" aria-label="What to do with the picture">
            {parts.map(([name, title]) => <a key={name} href={address(["try"], { part: name, collection })} aria-current={name === part ? "page" : undefined}>{title}</a>)}
          </nav>
          {/* All parts stay: what one of them found is still there after a look at another. */}
          {parts.map(([name, title]) => (
            <section key={name + picture.url} hidden={name !== part} aria-labelledby={"part-" + name}>
              <h2 id={"part-" + name} class="hidden">{title}</h2>
              {name === "faces" && <TryFaces picture={picture} />}
              {name === "search" && <TrySearch key={collection} picture={picture} collection={collection} ready={ready} may={may} points={points} />}
              {name === "index" && <TryIndex key={collection} picture={picture} collection={collection} ready={ready} bounds={bounds} />}
              {name === "compare" && <TryCompare picture={picture} points={points} shown={part === "compare"} />}
              {name === "text" && seen.has("text") && <TryText picture={picture} />}
            </section>
          ))}
        </>
      )}
    </>
  );
}
