import { useEffect, useRef, useState } from "preact/hooks";
import { toJPEG } from "../picture/load.ts";
import { Unfit } from "../picture/unfit.ts";
import { Dialog } from "./dialog.tsx";
import { Failure, Waiting } from "./notice.tsx";

const reasons: Record<string, [string, string]> = {
  NotAllowedError: ["The browser does not let this page use the camera.", "Allow it beside the page's address, and try again."],
  NotFoundError: ["There is no camera.", "Choose a file instead."],
  NotReadableError: ["The camera is in use by another program.", "End that program, and try again."],
};

export const hasCamera = () => !!navigator.mediaDevices?.getUserMedia;

/** Takes a picture with the camera, which is on while the dialog is open. */
export function Camera({ onClose, onTaken }: { onClose: () => void; onTaken: (file: File) => void }) {
  const video = useRef<HTMLVideoElement>(null);
  const [facing, setFacing] = useState<"user" | "environment">("user");
  const [size, setSize] = useState<{ width: number; height: number } | null>(null);
  const [several, setSeveral] = useState(false);
  const [error, setError] = useState<unknown>();
  const [turn, setTurn] = useState(0);

  useEffect(() => {
    let stream: MediaStream | undefined;
    let closed = false;
    const off = () => stream?.getTracks().forEach((track) => track.stop());
    setSize(null);
    setError(undefined);
    const start = async () => {
      stream = await navigator.mediaDevices.getUserMedia({ audio: false, video: { facingMode: facing, width: { ideal: 1280 }, height: { ideal: 720 } } });
      if (closed) return off();
      video.current!.srcObject = stream;
      await video.current!.play();
      const devices = await navigator.mediaDevices.enumerateDevices();
      if (!closed) setSeveral(devices.filter((d) => d.kind === "videoinput").length > 1);
    };
    start().catch((failure: unknown) => {
      if (closed) return;
      const [what, advice] = reasons[(failure as Error).name] ?? ["The camera could not be started.", String(failure)];
      setError(new Unfit(what, advice));
    });
    return () => {
      closed = true;
      off();
    };
  }, [facing, turn]);

  const take = async () => {
    try {
      onTaken(new File([await toJPEG(video.current!, size!)], "camera.jpg", { type: "image/jpeg" }));
    } catch (failure) {
      setError(failure);
    }
  };
  return (
    <Dialog title="Camera" onClose={onClose}>
      <div class="stack">
        <video ref={video} class={facing === "user" ? "camera mirrored" : "camera"} aria-label="What the camera sees" muted playsInline hidden={error !== undefined}
          onLoadedMetadata={(event) => setSize({ width: event.currentTarget.videoWidth, height: event.currentTarget.videoHeight })} />
        {!size && error === undefined && <Waiting what="Starting the camera" />}
        <Failure error={error} again={() => setTurn(turn + 1)} />
        <div class="row end">
          {several && <button type="button" onClick={() => setFacing(facing === "user" ? "environment" : "user")}>Other camera</button>}
          <button type="button" onClick={onClose}>Cancel</button>
          <button type="button" class="primary" disabled={!size || error !== undefined} onClick={() => void take()} autofocus>Take the picture</button>
        </div>
      </div>
    </Dialog>
  );
}
