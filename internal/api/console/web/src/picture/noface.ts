// What a picture without a face could be about.
import { count } from "../format.ts";
import type { Chosen } from "./load.ts";
import { Unfit } from "./unfit.ts";

/** The least side of a face, in pixels of a picture of up to fullPicture pixels. It grows with the sides of a larger picture. */
const leastFace = 40;
const fullPicture = 1920 * 1080;

/** Says how large a face must be to be found. */
export function leastFaceOf(picture: Chosen): string {
  const side = count(Math.ceil(leastFace * Math.max(1, Math.sqrt((picture.width * picture.height) / fullPicture))));
  return `In a picture of this size, a face needs ${side} × ${side} pixels or more.`;
}

/** The failure of what needs a face. */
export function noFace(picture: Chosen, name = "the picture"): Unfit {
  return new Unfit(`There is no face in ${name}.`, leastFaceOf(picture));
}
