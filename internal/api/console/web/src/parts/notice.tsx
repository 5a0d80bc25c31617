import type { ComponentChildren } from "preact";
import { explain } from "../server/explain.ts";

/** A failure, told to eyes and to screen readers. */
export function Failure({ error, again }: { error: unknown; again?: () => void }) {
  if (error === undefined || error === null) return null;
  const { what, advice } = explain(error);
  return (
    <div class="notice bad" role="alert">
      <p><strong>{what}</strong></p>
      {advice && <p>{advice}</p>}
      {again && <p><button type="button" onClick={again}>Try again</button></p>}
    </div>
  );
}

/** Something that went well, or is worth knowing. */
export function Note({ children, kind = "good" }: { children: ComponentChildren; kind?: "good" | "plain" }) {
  return <div class={"notice " + kind} role="status">{children}</div>;
}

export function Waiting({ what = "Loading" }: { what?: string }) {
  return <p class="waiting" role="status"><span class="spinner" aria-hidden="true" />{what} …</p>;
}
