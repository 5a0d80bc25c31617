import { useId } from "preact/hooks";
import { meaning, oneIn, strangers } from "../calibration.ts";
import type { Calibrated } from "../server/types.ts";

/** A slider for the threshold of a search or a comparison, and what it means with these networks. */
export function Threshold({ value, onChange, points, note = "" }: { value: number; onChange: (value: number) => void; points: Calibrated[] | undefined; note?: string }) {
  const id = useId();
  return (
    <div class="threshold card">
      <label>
        <span class="row apart">Threshold <span class="digits" aria-hidden="true">{value}</span></span>
        <input type="range" name="threshold" min={0} max={100} step={0.5} value={value} aria-describedby={id} onInput={(event) => onChange(event.currentTarget.valueAsNumber)} />
      </label>
      <p id={id}>{meaning(points, value) || "Nobody has measured what a similarity means with this model pack."}{note && <span class="faint"> {note}</span>}</p>
    </div>
  );
}

/** A similarity as a bar with the threshold in it. */
export function Similarity({ value, threshold, points }: { value: number; threshold: number; points: Calibrated[] | undefined }) {
  return (
    <div class="similarity">
      <span class="row apart"><span>Similarity</span> <strong class="digits">{value.toFixed(1)}</strong></span>
      <svg viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">
        <rect class="track" width="100" height="6" rx="1" />
        <rect class="fill" width={value} height="6" rx="1" />
        <line x1={threshold} x2={threshold} y1="0" y2="6" />
      </svg>
      {points?.length ? <span class="faint">{oneIn(strangers(points, value)).replace(/^\w/, (c) => c.toUpperCase())} strangers come as near</span> : null}
    </div>
  );
}
