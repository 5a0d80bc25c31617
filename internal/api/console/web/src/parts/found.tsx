import { count, counted } from "../format.ts";
import type { Walk } from "../walk.ts";
import { Failure } from "./notice.tsx";

/** Says how far a walk through a list has come. */
export function Found({ walk, part, what }: { walk: Walk<unknown>; part: string; what: string }) {
  return (
    <>
      <p role="status" class="faint row">
        <span>
          {walk.more ? `The first ${count(walk.found.length)} with “${part}”` : `${count(walk.found.length)} with “${part}”`}
          {walk.done ? "" : `, ${counted(walk.seen, what)} looked at …`}
        </span>
        {!walk.done && <button type="button" class="quiet" onClick={walk.stop}>Stop</button>}
      </p>
      <Failure error={walk.error} />
    </>
  );
}
