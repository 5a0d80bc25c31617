// From a file that somebody chose to a picture that the server takes. As little of it is read as it takes to refuse it.
import { Picture } from "../code.ts";
import { bytes, count } from "../format.ts";
import { headBytes, kindOf, sizeOfPNG } from "./kind.ts";
import { Unfit } from "./unfit.ts";

/** The most bytes that the server takes of a picture. */
const mostBytes = 5 << 20;
/** The most bytes of a file that is scaled down here. */
const mostScaled = 64 << 20;
/** The fewest pixels that the server takes of a side. */
const leastSide = 80;
/** The most pixels that the server decodes. */
const mostPixels = 100e6;
/** The longer side, in pixels, that a picture is scaled down to. Faces that the server finds in it are found in more pixels too. */
const scaledSide = 4000;
const scaledQuality = 0.9;

/** A picture that can be sent. Whoever is done with it revokes its url. */
export interface Chosen {
  name: string; // of the file that holds what is sent
  blob: Blob; // what is sent
  url: string; // of the blob
  width: number; // in pixels, upright
  height: number;
  changed: string; // what was done to the file, empty if it is sent as it is
  picture: Picture; // for a call
}

/** Reads a file. Throws Unfit if the server would not take it. */
export async function load(file: File): Promise<Chosen> {
  const name = file.name || "picture";
  if (file.size === 0) throw new Unfit(`${name} is empty.`, "Choose a JPEG or a PNG file.");
  if (file.size > mostScaled) {
    throw new Unfit(`${name} has ${bytes(file.size)}, which is too much: it was not read.`,
      `The server takes pictures of up to ${bytes(mostBytes)}. Up to ${bytes(mostScaled)} are scaled down here.`);
  }
  const head = new Uint8Array(await read(file.slice(0, headBytes), name));
  const kind = kindOf(head);
  if (kind.convertible) return converted(file, kind.name, name);
  if (!kind.type) {
    const belied = /\.(jpe?g|png)$/i.test(name) ? ", whatever its name says" : "";
    throw new Unfit(kind.name ? `${name} is ${kind.name}${belied}.` : `${name} is not a picture, or one of an unknown format.`,
      "The server takes JPEG and PNG. Save the picture as one of these.");
  }
  const blob = file.slice(0, file.size, kind.type);
  const stored = kind.type === "image/png" ? sizeOfPNG(head) : null;
  if (stored) checkPixels(stored, name); // browsers call one that is too large damaged
  const size = await sizeUpright(blob, damaged(name));
  checkPixels(size, name);
  if (file.size <= mostBytes) return chosen(name, blob, size, "");
  const small = await scaleDown(blob, size, name);
  return chosen(name.replace(/\.\w+$/, "") + "-scaled.jpg", small.blob, small,
    `${name} has ${bytes(file.size)}, and the server takes ${bytes(mostBytes)}. What is sent was ${small.width < size.width ? `scaled down from ${pixels(size)} to ${pixels(small)}` : "compressed more"} here.`);
}

/** Makes a JPEG of a picture in a format that the server may not read, if the browser can show it. */
async function converted(file: File, kind: string, name: string): Promise<Chosen> {
  const size = await sizeUpright(file, new Unfit(`${name} is ${kind}, which this browser cannot show.`,
    "The server takes JPEG and PNG. Save the picture as one of these. An iPhone makes JPEG with Settings, Camera, Formats, Most Compatible."));
  checkPixels(size, name);
  const jpeg = await scaleDown(file, size, name);
  const smaller = jpeg.width < size.width ? ` and scaled down from ${pixels(size)} to ${pixels(jpeg)}` : "";
  return chosen(name.replace(/\.\w+$/, "") + "-converted.jpg", jpeg.blob, jpeg, `${name} is ${kind}. What is sent was made a JPEG${smaller} here.`);
}

function checkPixels({ width, height }: Size, name: string): void {
  if (Math.min(width, height) < leastSide) {
    throw new Unfit(`${name} has ${pixels({ width, height })} pixels, which is too little.`, `The server takes pictures whose sides have ${leastSide} pixels or more.`);
  }
  const n = width * height;
  if (n > mostPixels) throw new Unfit(`${name} has ${count(Math.round(n / 1e6))} megapixels, which is too much.`, `The server takes ${mostPixels / 1e6}.`);
}

interface Size { width: number; height: number }

export function pixels({ width, height }: Size): string {
  return `${width} × ${height}`;
}

async function chosen(name: string, blob: Blob, { width, height }: Size, changed: string): Promise<Chosen> {
  const picture = new Picture(name, base64(new Uint8Array(await read(blob, name))));
  return { name, blob, url: URL.createObjectURL(blob), width, height, changed, picture };
}

/** Reads bytes of a file, which may be gone by now, or be a folder. */
async function read(part: Blob, name: string): Promise<ArrayBuffer> {
  try {
    return await part.arrayBuffer();
  } catch {
    throw new Unfit(`${name} could not be read.`, "It may have been moved or changed since, or be a folder.");
  }
}

function base64(data: Uint8Array): string {
  const step = 0x8000; // a call has so many arguments at most, everywhere
  const parts: string[] = [];
  for (let i = 0; i < data.length; i += step) parts.push(String.fromCharCode(...data.subarray(i, i + step)));
  return btoa(parts.join(""));
}

/** Lets the browser read the size of a picture, turned as its EXIF data says: pixels are decoded when it is drawn. */
async function sizeUpright(blob: Blob, otherwise: Unfit): Promise<Size> {
  const url = URL.createObjectURL(blob);
  const image = new Image();
  try {
    await new Promise((resolve, reject) => {
      image.onload = resolve;
      image.onerror = reject;
      image.src = url;
    });
    return { width: image.naturalWidth, height: image.naturalHeight };
  } catch {
    throw otherwise;
  } finally {
    URL.revokeObjectURL(url);
  }
}

function damaged(name: string): Unfit {
  return new Unfit(`${name} is damaged: the browser cannot show it.`, "Choose another picture, or save this one anew.");
}

/** Makes a JPEG of the picture that is small enough. */
async function scaleDown(blob: Blob, { width, height }: Size, name: string): Promise<Size & { blob: Blob }> {
  for (let side = Math.min(scaledSide, Math.max(width, height)); side >= 500; side *= 0.75) {
    const scale = side / Math.max(width, height);
    const small = { width: Math.max(1, Math.round(width * scale)), height: Math.max(1, Math.round(height * scale)) };
    let bitmap: ImageBitmap;
    try {
      bitmap = await createImageBitmap(blob, { imageOrientation: "from-image", resizeWidth: small.width, resizeHeight: small.height, resizeQuality: "high" });
    } catch {
      throw damaged(name);
    }
    const jpeg = await toJPEG(bitmap, small);
    bitmap.close();
    if (jpeg.size <= mostBytes) return { ...small, blob: jpeg };
  }
  throw damaged(name);
}

/** Draws a picture, or what a video shows now, and encodes it. */
export async function toJPEG(source: CanvasImageSource, { width, height }: Size): Promise<Blob> {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d")!;
  context.fillStyle = "#fff"; // behind what is transparent
  context.fillRect(0, 0, width, height);
  context.drawImage(source, 0, 0, width, height);
  const blob = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, "image/jpeg", scaledQuality));
  if (!blob) throw new Unfit("The browser has no memory for this picture.", "Choose a smaller one.");
  return blob;
}
