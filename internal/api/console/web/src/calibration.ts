// What a similarity means, from what was measured of the networks: how many strangers reach it.
import { count } from "./format.ts";
import type { Calibrated } from "./server/types.ts";

/** The share of pairs, 0 to 1, at a similarity; more or fewer than it if the similarity lies outside of what was measured. */
export interface Share { share: number; bound: "" | "more" | "fewer" }

/** How many pairs of strangers reach a similarity. Between measured points the logarithm of the share is taken as linear. */
export function strangers(points: Calibrated[], similarity: number): Share {
  return between(points, similarity, (p) => Math.log(p.FalseMatchRate), Math.exp);
}

/** How many pairs of pictures of one person reach a similarity. */
export function selves(points: Calibrated[], similarity: number): Share {
  return between(points, similarity, (p) => p.TrueAcceptRate, (y) => y);
}

function between(points: Calibrated[], x: number, value: (p: Calibrated) => number, back: (y: number) => number): Share {
  const sorted = [...points].sort((a, b) => a.Similarity - b.Similarity);
  const first = sorted[0]!, last = sorted[sorted.length - 1]!;
  if (x < first.Similarity) return { share: back(value(first)), bound: "more" };
  if (x > last.Similarity) return { share: back(value(last)), bound: "fewer" };
  const above = sorted.find((p) => p.Similarity >= x)!;
  const below = sorted.findLast((p) => p.Similarity <= x)!;
  const part = above === below ? 0 : (x - below.Similarity) / (above.Similarity - below.Similarity);
  return { share: back(value(below) + part * (value(above) - value(below))), bound: "" };
}

/** "about 1 in 1,000", with two digits that count. */
export function oneIn({ share, bound }: Share): string {
  const n = Number((1 / share).toPrecision(2));
  return `${bound ? bound + " than" : "about"} 1 in ${count(Math.max(1, n))}`;
}

/** What a threshold means, in sentences; empty if nobody measured it. */
export function meaning(points: Calibrated[] | undefined, threshold: number): string {
  if (!points?.length) return "";
  const same = selves(points, threshold);
  const percent = `${(same.share * 100).toFixed(1)}\u00a0%`;
  return `At ${threshold}, ${oneIn(strangers(points, threshold))} strangers would match. `
    + `Of pairs of pictures of one person, ${same.bound === "" ? percent : `${same.bound} than ${percent}`} do.`;
}
