import type { ComponentChildren } from "preact";
import type { Call } from "../code.ts";
import { useAction } from "../hooks.ts";
import { CodePanel } from "./codepanel.tsx";
import { Dialog } from "./dialog.tsx";
import { Failure } from "./notice.tsx";

/** Asks before something is done that cannot be undone. */
export function Confirm({ title, verb, calls, act, onClose, children }: {
  title: string; verb: string; calls: Call[]; act: (signal: AbortSignal) => Promise<void>; onClose: () => void; children: ComponentChildren;
}) {
  const action = useAction(act);
  return (
    <Dialog title={title} onClose={onClose}>
      <form class="stack" onSubmit={(event) => { event.preventDefault(); void action.run(); }}>
        {children}
        <Failure error={action.error} />
        <div class="row end">
          <button type="button" onClick={onClose} autofocus>Cancel</button>
          <button type="submit" class="danger" disabled={action.busy}>{verb}{action.busy && " …"}</button>
        </div>
        <CodePanel calls={calls} />
      </form>
    </Dialog>
  );
}
