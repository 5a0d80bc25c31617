import { useEffect } from "preact/hooks";
import { bytes, count, counted, date, duration } from "../format.ts";
import { useLoaded } from "../hooks.ts";
import { Failure, Waiting } from "../parts/notice.tsx";
import type { Cluster as Answer, ClusterNode } from "../server/types.ts";
import { useSession } from "../session.ts";

const refresh = 5_000; // milliseconds

/** The servers that share a database, and what each has in memory. */
export function Cluster() {
  const session = useSession();
  const { value: c, error, reload } = useLoaded<Answer>((signal) => session.client.read("cluster", {}, signal), [session]);
  useEffect(() => {
    const timer = setInterval(() => { if (!document.hidden) reload(); }, refresh);
    return () => clearInterval(timer);
  }, [reload]);
  if (!c) return <><h1>Cluster</h1>{error ? <Failure error={error} again={reload} /> : <Waiting what="Loading the servers" />}</>;
  const alive = c.Nodes.filter((n) => n.Alive).length;
  const silent = c.Nodes.length - alive;
  return (
    <>
      <h1>Cluster</h1>
      <p>
        {c.Shared
          ? <>{counted(alive, "server")} {alive === 1 ? "shares" : "share"} the database{silent > 0 && <>; {counted(silent, "server")} said nothing of late, and {silent === 1 ? "is" : "are"} listed for an hour</>}.</>
          : <>This server keeps its data in a folder of its own, and shares it with no other.</>}
      </p>
      <table class="list">
        <caption class="hidden">Servers, and what each has in memory</caption>
        <thead>
          <tr><th scope="col">Server</th><th scope="col">State</th><th scope="col">Version</th><th scope="col">Started</th><th scope="col" class="number">Collections</th><th scope="col" class="number">Vectors</th><th scope="col" class="number">Memory</th><th scope="col" class="number">Lag</th></tr>
        </thead>
        <tbody>{c.Nodes.map((n) => <Row key={n.NodeId} node={n} shared={c.Shared} />)}</tbody>
      </table>
      {c.Shared && <p class="faint">Collections, vectors and memory are those of a server's last heartbeat. Lag is how many vectors it had still to read when it last compared its memory with the database: a search reads them first, so that no answer is without them.</p>}
    </>
  );
}

function Row({ node: n, shared }: { node: ClusterNode; shared: boolean }) {
  return (
    <tr>
      <th scope="row">{n.Address}<span class="faint"> · {n.Host}{n.Answering && ", answers this page"}</span></th>
      <td data-label="State"><span>{n.Alive ? "alive" : "silent"}{shared && <span class="faint"> · heartbeat {ago(n.SecondsSinceHeartbeat)}</span>}</span></td>
      <td data-label="Version">{n.Version}</td>
      <td data-label="Started">{date(Date.parse(n.StartedAt) / 1000)}</td>
      <td class="number" data-label="Collections">{count(n.Collections)}</td>
      <td class="number" data-label="Vectors">{count(n.Vectors)}</td>
      <td class="number" data-label="Memory">{bytes(n.Bytes)}</td>
      <td class="number" data-label="Lag">{shared ? count(n.VectorsBehind) : "none"}</td>
    </tr>
  );
}

function ago(seconds: number): string {
  return `${duration(seconds)} ago`;
}
