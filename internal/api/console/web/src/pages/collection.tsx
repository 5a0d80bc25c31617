import { useState } from "preact/hooks";
import type { Call } from "../code.ts";
import { count, counted, date } from "../format.ts";
import { useLoaded } from "../hooks.ts";
import { CodePanel } from "../parts/codepanel.tsx";
import { Failure, Waiting } from "../parts/notice.tsx";
import { address } from "../router.ts";
import { Refusal } from "../server/client.ts";
import type { Collection as Described } from "../server/types.ts";
import { usePermissions, useSession } from "../session.ts";
import { CollectionTags } from "./collectiontags.tsx";
import { CreateCollection } from "./createcollection.tsx";
import { DeleteCollection } from "./deletecollection.tsx";
import { Faces } from "./faces.tsx";
import { People } from "./people.tsx";
import { Users } from "./users.tsx";

/** One collection. What is offered is what the key may do to this one. */
export function Collection({ id, query }: { id: string; query: URLSearchParams }) {
  const session = useSession();
  const may = usePermissions(id);
  const described = useLoaded<Described | null>(
    (signal) => (may?.("DescribeCollection") ? session.client.call("DescribeCollection", { CollectionId: id }, signal) : Promise.resolve(null)),
    [session, id, may],
  );
  const [deleting, setDeleting] = useState(false);
  const [gone, setGone] = useState<Call | null>(null);
  const [creating, setCreating] = useState(false);
  const back = <p><a href={address(["collections"])}>← Collections</a></p>;

  if (gone) {
    return <>{back}<h1>{id}</h1><p class="notice good" role="status">The collection {id} was deleted.</p><CodePanel calls={[gone]} /></>;
  }
  if (described.error instanceof Refusal && described.error.code === "ResourceNotFoundException") {
    return (
      <>
        {back}<h1>{id}</h1>
        <p>There is no collection of this name.</p>
        {may?.("CreateCollection") && <button type="button" class="primary" onClick={() => setCreating(true)}>Create it</button>}
        {creating && <CreateCollection name={id} onClose={() => setCreating(false)} onCreated={() => { setCreating(false); described.reload(); }} />}
      </>
    );
  }
  const collection = described.value;
  const offered: [string, string, string][] = [["faces", "Faces", "ListFaces"], ["people", "People", "SearchFaces"], ["users", "Users", "ListUsers"], ["details", "Tags", "DescribeCollection"]];
  const tabs = offered.filter(([, , operation]) => may?.(operation));
  const user = query.get("user") ?? "";
  const part = tabs.find(([name]) => name === (query.get("part") ?? "faces"))?.[0] ?? tabs[0]?.[0];
  return (
    <>
      {back}
      <div class="row apart">
        <h1>{id}</h1>
        <div class="row">
          {collection && ["SearchFacesByImage", "SearchUsersByImage", "IndexFaces"].some((operation) => may?.(operation)) && (
            <a class="button" href={address(["try"], { collection: id, part: may?.("SearchFacesByImage") || may?.("SearchUsersByImage") ? "search" : "index" })}>Try it with a picture</a>
          )}
          {may?.("DeleteCollection") && <button type="button" class="danger" onClick={() => setDeleting(true)}>Delete collection</button>}
        </div>
      </div>
      <Failure error={described.error} again={described.reload} />
      {(!may || (described.loading && !collection)) && <Waiting what="Loading the collection" />}
      {collection && (
        <dl class="facts">
          <div><dt>Faces</dt><dd>{count(collection.FaceCount)}</dd></div>
          <div><dt>Users</dt><dd>{count(collection.UserCount ?? 0)}</dd></div>
          <div><dt>Model version</dt><dd>{collection.FaceModelVersion}</dd></div>
          <div><dt>Created</dt><dd>{date(collection.CreationTimestamp)}</dd></div>
          <div class="wide"><dt>ARN</dt><dd><code>{collection.CollectionARN}</code></dd></div>
        </dl>
      )}
      {may && tabs.length > 0 && (
        <>
          <nav class="subnav" aria-label="Parts of the collection">
            {tabs.map(([name, title]) => <a key={name} href={address(["collections", id], { part: name === "faces" ? "" : name })} aria-current={name === part ? "page" : undefined}>{title}</a>)}
          </nav>
          {part === "faces" && <Faces key={user} collection={id} user={user} may={may} onChanged={described.reload} />}
          {part === "people" && collection && <People collection={id} version={collection.FaceModelVersion} may={may} onChanged={described.reload} />}
          {part === "users" && <Users collection={id} may={may} onChanged={described.reload} />}
          {part === "details" && collection && (
            <>
              <CollectionTags arn={collection.CollectionARN} may={may} />
              <CodePanel calls={[{ operation: "DescribeCollection", input: { CollectionId: id } }]} />
            </>
          )}
        </>
      )}
      {deleting && (
        <DeleteCollection id={id} contents={collection ? `${counted(collection.FaceCount, "face")} and ${counted(collection.UserCount ?? 0, "user")}` : undefined}
          onClose={() => setDeleting(false)} onDeleted={(_, call) => { setDeleting(false); setGone(call); }} />
      )}
    </>
  );
}
