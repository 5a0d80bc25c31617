import { useEffect, useState } from "preact/hooks";
import type { Call } from "../code.ts";
import { count, counted, date } from "../format.ts";
import { useLoaded } from "../hooks.ts";
import { CodePanel } from "../parts/codepanel.tsx";
import { Failure, Waiting } from "../parts/notice.tsx";
import { Pager, usePaging } from "../parts/pager.tsx";
import { address, go } from "../router.ts";
import { Refusal } from "../server/client.ts";
import type { Collection } from "../server/types.ts";
import { useSession, type Session } from "../session.ts";
import { CreateCollection } from "./createcollection.tsx";
import { DeleteCollection } from "./deletecollection.tsx";
import { FindNames } from "./findnames.tsx";

/** Rows of a page. Each costs a call for its counts. */
const pageSize = 25;
/** How many of them are under way at a time. */
const together = 4;

interface Page { CollectionIds: string[]; FaceModelVersions: string[]; NextToken?: string }

export function Collections() {
  const session = useSession();
  const [creating, setCreating] = useState(false);
  const [deleting, setDeleting] = useState<string | null>(null);
  const [done, setDone] = useState("");
  const [made, setMade] = useState<Call[]>([]);
  const paging = usePaging();
  const mayList = session.may("ListCollections");
  const page = useLoaded<Page | null>(
    (signal) => (mayList ? session.client.call("ListCollections", input(paging.token), signal) : Promise.resolve(null)),
    [session, paging.token],
  );
  const ids = page.value?.CollectionIds ?? [];
  const details = useDetails(session, ids);

  const deleted = (id: string, call: Call) => {
    setDeleting(null);
    setDone(`The collection ${id} was deleted.`);
    setMade([call]);
    page.reload();
  };
  return (
    <>
      <div class="row apart">
        <h1>Collections</h1>
        {session.may("CreateCollection") && <button type="button" class="primary" onClick={() => setCreating(true)}>New collection</button>}
      </div>
      <p role="status" class={done ? "notice good" : "hidden"}>{done}</p>
      <FindNames mayList={mayList} />
      {!mayList && <p>Your key may not list collections. Type the name of one to open it.</p>}
      <Failure error={page.error} again={page.reload} />
      {page.loading && !page.value && <Waiting what="Loading collections" />}
      {page.value && ids.length === 0 && paging.tokens.length === 1 && (
        <div class="empty"><p>There are no collections yet. A collection holds the faces that a search looks through.</p></div>
      )}
      {ids.length > 0 && (
        <table class="list" aria-busy={page.loading}>
          <caption class="hidden">Collections, in order of name</caption>
          <thead>
            <tr><th scope="col">Name</th><th scope="col" class="number">Faces</th><th scope="col" class="number">Users</th><th scope="col">Model version</th><th scope="col">Created</th><th scope="col"><span class="hidden">Actions</span></th></tr>
          </thead>
          <tbody>
            {ids.map((id, i) => {
              const detail = details.get(id);
              return (
                <tr key={id}>
                  <th scope="row"><a href={address(["collections", id])}>{id}</a></th>
                  <td class="number" data-label="Faces">{shown(detail, (c) => count(c.FaceCount))}</td>
                  <td class="number" data-label="Users">{shown(detail, (c) => count(c.UserCount ?? 0))}</td>
                  <td data-label="Model version">{page.value?.FaceModelVersions[i]}</td>
                  <td data-label="Created">{shown(detail, (c) => date(c.CreationTimestamp))}</td>
                  <td class="actions">
                    {session.may("DeleteCollection") && <button type="button" class="quiet danger" aria-label={"Delete " + id} onClick={() => setDeleting(id)}>Delete</button>}
                  </td>
                </tr>
              );
            })}
          </tbody>
        </table>
      )}
      <Pager paging={paging} next={page.value?.NextToken} busy={page.loading} what="collections" />
      {mayList && <CodePanel calls={[...made, { operation: "ListCollections", input: { MaxResults: pageSize } }]} />}
      {creating && <CreateCollection onClose={() => setCreating(false)} onCreated={(id) => go(["collections", id])} />}
      {deleting !== null && <DeleteCollection id={deleting} contents={contents(details.get(deleting))} onClose={() => setDeleting(null)} onDeleted={deleted} />}
    </>
  );
}

function input(token: string | undefined): object {
  return token ? { MaxResults: pageSize, NextToken: token } : { MaxResults: pageSize };
}

/** What a row shows of its collection: null if it cannot be had. */
type Detail = Collection | null | undefined;

function shown(detail: Detail, show: (c: Collection) => string) {
  return detail === undefined ? <span class="faint">…</span> : detail === null ? <span class="faint">–</span> : show(detail);
}

function contents(detail: Detail): string | undefined {
  return detail ? `${counted(detail.FaceCount, "face")} and ${counted(detail.UserCount ?? 0, "user")}` : undefined;
}

/** Describes collections, a few at a time, for those that may be described. */
function useDetails(session: Session, ids: string[]): Map<string, Detail> {
  const [details, setDetails] = useState(new Map<string, Detail>());
  const key = ids.join("/"); // which no id has
  useEffect(() => {
    const stop = new AbortController();
    const queue = [...ids];
    setDetails(new Map());
    const work = async () => {
      for (let id = queue.shift(); id !== undefined; id = queue.shift()) {
        let detail: Detail;
        try {
          detail = await session.client.call<Collection>("DescribeCollection", { CollectionId: id }, stop.signal);
        } catch (error) {
          if (stop.signal.aborted) return;
          detail = null;
          if (!(error instanceof Refusal)) queue.length = 0; // the server is gone: the rest need not wait for it
        }
        if (stop.signal.aborted) return;
        const got: [string, Detail] = [id, detail];
        setDetails((before) => new Map(before).set(...got));
      }
    };
    for (let i = 0; i < together; i++) void work();
    return () => stop.abort();
  }, [session, key]);
  return details;
}
