import { useEffect } from "preact/hooks";
import { bytes, count, duration, milliseconds } from "../format.ts";
import { useLoaded } from "../hooks.ts";
import { Failure, Waiting } from "../parts/notice.tsx";
import type { Overview as Answer } from "../server/types.ts";
import { useSession } from "../session.ts";

const refresh = 10_000; // milliseconds

/** What the server does with thumbnails of faces. */
const thumbnails = {
  shown: "made and shown",
  hidden: "kept from earlier runs, not shown: the server runs without --thumbnails",
  none: "none: the server runs without --thumbnails",
};

/** What the server has, and did in the last hour. Counts are those of the key's account and region. */
export function Overview() {
  const session = useSession();
  const { value: o, error, reload } = useLoaded<Answer>((signal) => session.client.read("overview", {}, signal), [session]);
  useEffect(() => {
    const timer = setInterval(() => { if (!document.hidden) reload(); }, refresh);
    return () => clearInterval(timer);
  }, [reload]);
  if (!o) return <><h1>Overview</h1>{error ? <Failure error={error} again={reload} /> : <Waiting what="Loading the overview" />}</>;
  const used = o.Disk.TotalBytes - o.Disk.FreeBytes;
  return (
    <>
      <h1>Overview</h1>
      <dl class="facts">
        <div><dt>Collections</dt><dd>{count(o.Collections)}</dd></div>
        <div><dt>Faces</dt><dd>{count(o.Faces)}</dd></div>
        <div><dt>Users</dt><dd>{count(o.Users)}</dd></div>
        <div><dt>Thumbnails</dt><dd>{thumbnails[o.Thumbnails]}</dd></div>
        <div><dt>Model packs</dt><dd>{o.Models.map((m) => m.Version).join(", ")}</dd></div>
        <div><dt>Memory</dt><dd>{bytes(o.Memory.ResidentBytes ?? o.Memory.HeapBytes)}</dd></div>
        <div><dt>Database</dt><dd>{bytes(o.Disk.DatabaseBytes)}</dd></div>
        <div><dt>Disk</dt><dd>{bytes(o.Disk.FreeBytes)} free of {bytes(o.Disk.TotalBytes)} <meter aria-label="Disk in use" min={0} max={o.Disk.TotalBytes} value={used} /></dd></div>
        <div><dt>Running for</dt><dd>{duration(o.UptimeSeconds)}, version {o.Version}</dd></div>
      </dl>
      <h2>The last hour</h2>
      {o.LastHour.length === 0 ? <div class="empty"><p>No requests in the last hour.</p></div> : (
        <table class="list">
          <caption class="hidden">Requests of the last hour by operation</caption>
          <thead>
            <tr><th scope="col">Operation</th><th scope="col" class="number">Requests</th><th scope="col" class="number">Errors</th><th scope="col" class="number">Rejected</th><th scope="col" class="number">Median</th><th scope="col" class="number">90 %</th><th scope="col" class="number">99 %</th></tr>
          </thead>
          <tbody>
            {o.LastHour.map((a) => (
              <tr key={a.Operation}>
                <th scope="row">{a.Operation}</th>
                <td class="number" data-label="Requests">{count(a.Requests)}</td>
                <td class="number" data-label="Errors">{count(a.Errors)}</td>
                <td class="number" data-label="Rejected">{count(a.Rejected)}</td>
                <td class="number" data-label="Median">{milliseconds(a.P50Millis)}</td>
                <td class="number" data-label="90 %">{milliseconds(a.P90Millis)}</td>
                <td class="number" data-label="99 %">{milliseconds(a.P99Millis)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </>
  );
}
