import type { RefObject } from "preact";
import { useLayoutEffect, useState } from "preact/hooks";
import type { Box } from "../server/types.ts";

interface Rect { left: number; top: number; width: number; height: number }

/** Lines over the frame, from a face of its first figure to faces of its second. They follow when the figures move. */
export function Lines({ frame, from, to }: { frame: RefObject<HTMLElement | null>; from: Box; to: Box[] }) {
  const [rects, setRects] = useState<[Rect, Rect, Rect] | null>(null);
  useLayoutEffect(() => {
    const element = frame.current!;
    const measure = () => {
      const [first, second] = element.querySelectorAll("figure");
      if (first && second) setRects([element.getBoundingClientRect(), first.getBoundingClientRect(), second.getBoundingClientRect()]);
    };
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    for (const figure of element.querySelectorAll("figure")) observer.observe(figure);
    return () => observer.disconnect();
  }, [frame, from]);
  if (!rects) return null;
  const [around, first, second] = rects;
  const place = (rect: Rect, box: Box) => ({
    left: rect.left - around.left + box.Left * rect.width, top: rect.top - around.top + box.Top * rect.height, width: box.Width * rect.width, height: box.Height * rect.height,
  });
  const start = place(first, from);
  return (
    <svg class="lines" viewBox={`0 0 ${around.width} ${around.height}`} aria-hidden="true">
      {to.map((box, i) => {
        const [a, b] = between(start, place(second, box));
        return <g key={i}><line class="under" {...ends(a, b)} /><line class="over" {...ends(a, b)} /></g>;
      })}
    </svg>
  );
}

interface Point { x: number; y: number }
const ends = (a: Point, b: Point) => ({ x1: a.x, y1: a.y, x2: b.x, y2: b.y });

/** The part of the line between two rectangles' middles that lies in neither. */
function between(a: Rect, b: Rect): [Point, Point] {
  const middle = (r: Rect): Point => ({ x: r.left + r.width / 2, y: r.top + r.height / 2 });
  const leave = (r: Rect, to: Point): Point => {
    const m = middle(r);
    const dx = to.x - m.x, dy = to.y - m.y;
    const part = Math.min(r.width / 2 / Math.abs(dx || 1e-9), r.height / 2 / Math.abs(dy || 1e-9), 1);
    return { x: m.x + dx * part, y: m.y + dy * part };
  };
  return [leave(a, middle(b)), leave(b, middle(a))];
}
