import type { ComponentChildren, Ref } from "preact";
import type { Chosen } from "../picture/load.ts";
import type { Box, Landmark, Point } from "../server/types.ts";

/** A face or a text to be drawn on a picture. */
export interface Mark {
  box: Box;
  polygon?: Point[]; // drawn instead of the box
  name: string; // short, beside the box
  text?: string; // below the box
  kind?: "chosen" | "dim";
  landmarks?: Landmark[];
}

/**
 * A picture with faces drawn on it. The drawing is for eyes alone: whoever cannot see it, or presses no mouse, is served by the lists beside it, which
 * the caller has. Boxes are relative to the upright picture, as the server gives them and the browser draws it.
 */
export function Figure({ picture, marks, onPick, frame, children }: {
  picture: Chosen; marks: Mark[]; onPick?: (i: number) => void; frame?: Ref<HTMLElement>; children?: ComponentChildren;
}) {
  const { width, height } = picture;
  return (
    <figure ref={frame} class="picture" style={{ aspectRatio: `${width} / ${height}`, width: `min(100%, ${(75 * width / height).toFixed(2)}vh)` }}>
      <img src={picture.url} alt={`The picture ${picture.name}`} width={width} height={height} />
      <svg viewBox={`0 0 ${width} ${height}`} preserveAspectRatio="none" aria-hidden="true">
        {marks.map((mark, i) => (
          <g key={i} class={`face ${mark.kind ?? ""}`} onClick={onPick && (() => onPick(i))}>
            <Outline mark={mark} width={width} height={height} />
            {mark.landmarks && <Dots landmarks={mark.landmarks} width={width} height={height} size={mark.box.Width * width} least={Math.max(width, height) / 550} />}
          </g>
        ))}
      </svg>
      <div aria-hidden="true">
        {marks.map((mark, i) => <span key={"n" + i} class={`name ${mark.kind ?? ""}`} style={above(mark.box)}>{mark.name}</span>)}
        {marks.map((mark, i) => mark.text && <span key={"t" + i} class={`text ${mark.kind ?? ""}`} style={below(mark.box)}>{mark.text}</span>)}
      </div>
      {children}
    </figure>
  );
}

const percent = (ratio: number) => `${(ratio * 100).toFixed(2)}%`;
const clamp = (ratio: number) => Math.min(Math.max(ratio, 0), 1);

/** Puts a name above a box, or into its upper end where the picture ends. */
function above(box: Box): Record<string, string> {
  const top = clamp(box.Top);
  return { left: percent(clamp(box.Left)), ...(top > 0.06 ? { bottom: percent(1 - top) } : { top: percent(top) }) };
}

/** Puts a text below a box, or into its lower end where the picture ends, and away from the picture's sides. */
function below(box: Box): Record<string, string> {
  const middle = box.Left + box.Width / 2;
  const bottom = clamp(box.Top + box.Height);
  const style: Record<string, string> = bottom < 0.92 ? { top: percent(bottom) } : { bottom: percent(1 - bottom) };
  if (middle < 1 / 3) style["left"] = percent(clamp(box.Left));
  else if (middle > 2 / 3) style["right"] = percent(1 - clamp(box.Left + box.Width));
  else {
    style["left"] = percent(middle);
    style["translate"] = "-50%";
  }
  return style;
}

function Outline({ mark: { box, polygon }, width, height }: { mark: Mark; width: number; height: number }) {
  if (polygon) {
    const points = polygon.map((p) => `${(p.X * width).toFixed(1)},${(p.Y * height).toFixed(1)}`).join(" ");
    return <><polygon class="under" points={points} /><polygon class="over" points={points} /></>;
  }
  const at = { x: box.Left * width, y: box.Top * height, width: box.Width * width, height: box.Height * height };
  return <><rect class="under" {...at} /><rect class="over" {...at} /></>;
}

/** Landmarks are dots that grow with the face, of this size, and are to be seen in small ones: lines of no length with round ends. */
function Dots({ landmarks, width, height, size, least }: { landmarks: Landmark[]; width: number; height: number; size: number; least: number }) {
  const path = landmarks.map((l) => `M${(l.X * width).toFixed(1)} ${(l.Y * height).toFixed(1)}h0`).join("");
  return <><path class="dots under" d={path} stroke-width={Math.max(size / 28, least * 1.5)} /><path class="dots over" d={path} stroke-width={Math.max(size / 45, least)} /></>;
}

/** One face of a picture, cut out with what is around it. */
export function Crop({ picture, box, size = 56, landmarks }: { picture: Chosen; box: Box; size?: number; landmarks?: Landmark[] | undefined }) {
  const side = Math.max(box.Width * picture.width, box.Height * picture.height) * 1.25;
  const scale = size / side;
  const width = picture.width * scale, height = picture.height * scale;
  const left = size / 2 - (box.Left + box.Width / 2) * width;
  const top = size / 2 - (box.Top + box.Height / 2) * height;
  return (
    <span class="crop" aria-hidden="true" style={{ width: `${size}px`, height: `${size}px` }}>
      <img src={picture.url} alt="" style={{ width: `${width}px`, height: `${height}px`, left: `${left}px`, top: `${top}px` }} />
      {landmarks && <svg viewBox={`${-left} ${-top} ${size} ${size}`}><Dots landmarks={landmarks} width={width} height={height} least={1.5} size={size} /></svg>}
    </span>
  );
}
