import { useEffect, useId, useRef, useState } from "preact/hooks";
import { bytes } from "../format.ts";
import { useAction } from "../hooks.ts";
import { load, pixels, type Chosen } from "../picture/load.ts";
import { Unfit } from "../picture/unfit.ts";
import { Camera, hasCamera } from "./camera.tsx";
import { Failure, Waiting } from "./notice.tsx";

/**
 * Where a picture is dropped, chosen, pasted or taken. Greedy, it takes what is dropped and pasted anywhere on the page that no other takes.
 */
export function Picker({ title, chosen, greedy = false, onChosen }: { title: string; chosen: Chosen | null; greedy?: boolean; onChosen: (picture: Chosen) => void }) {
  const [over, setOver] = useState(false);
  const [camera, setCamera] = useState(false);
  const input = useRef<HTMLInputElement>(null);
  const id = useId();
  const loading = useAction(async (signal, files: File[]) => {
    if (files.length === 0) throw new Unfit("That is no file.", "Drop a picture from a folder, or choose one.");
    if (files.length > 1) throw new Unfit(`These are ${files.length} files.`, "Choose one picture at a time.");
    const picture = await load(files[0]!);
    if (signal.aborted) URL.revokeObjectURL(picture.url);
    else onChosen(picture);
  });
  const take = (files: Iterable<File> | null | undefined) => void loading.run([...files ?? []]);
  const drop = (event: DragEvent) => {
    event.preventDefault();
    event.stopPropagation();
    setOver(false);
    take(event.dataTransfer?.files);
  };
  const hover = (event: DragEvent) => {
    event.preventDefault(); // or the browser would leave the page for the file
    setOver(true);
  };
  const latest = useRef(take);
  latest.current = take;
  useEffect(() => {
    if (!greedy) return;
    const stop = new AbortController();
    const listen = <K extends keyof WindowEventMap>(name: K, heard: (event: WindowEventMap[K]) => void) => addEventListener(name, heard, { signal: stop.signal });
    listen("dragover", hover);
    listen("dragleave", (event) => { if (!event.relatedTarget) setOver(false); });
    listen("drop", (event) => {
      event.preventDefault();
      setOver(false);
      latest.current(event.dataTransfer?.files);
    });
    listen("paste", (event) => {
      if (!event.clipboardData?.files.length) return; // text, for a field
      event.preventDefault();
      latest.current(event.clipboardData.files);
    });
    return () => stop.abort();
  }, [greedy]);
  return (
    <>
      <div class={`picker${chosen ? " full" : ""}${over ? " over" : ""}`} role="group" aria-labelledby={id} onDragOver={hover} onDragLeave={() => setOver(false)} onDrop={drop}>
        {chosen
          ? <p id={id}><strong>{chosen.name}</strong> <span class="faint">{pixels(chosen)}, {bytes(chosen.blob.size)}</span></p>
          : <p id={id} class="title">{title}</p>}
        {!chosen && <p class="faint">Drop a JPEG or a PNG here{greedy && ", or paste one"}.</p>}
        <div class="row">
          <button type="button" class={chosen ? "" : "primary"} disabled={loading.busy} onClick={() => input.current!.click()}>{chosen ? "Another file" : "Choose a file"}</button>
          {hasCamera() && <button type="button" disabled={loading.busy} onClick={() => setCamera(true)}>Camera</button>}
          {chosen && (chosen.changed || chosen.name === "camera.jpg") && <a href={chosen.url} download={chosen.name}>Save what is sent</a>}
        </div>
        <input ref={input} type="file" accept="image/jpeg,image/png,image/webp,image/avif" hidden
          onChange={(event) => {
            const files = [...event.currentTarget.files ?? []];
            event.currentTarget.value = ""; // the same file again is a change too
            if (files.length > 0) take(files);
          }} />
        {loading.busy && <Waiting what="Reading the picture" />}
        <Failure error={loading.error} />
        {chosen?.changed && !loading.error && <p class="faint" role="status">{chosen.changed}</p>}
      </div>
      {camera && <Camera onClose={() => setCamera(false)} onTaken={(file) => { setCamera(false); take([file]); }} />}
    </>
  );
}
