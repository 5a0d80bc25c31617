// What a file is, by its first bytes and not by its name.

/** How many bytes of a file tell what it is, and of a PNG how large. */
export const headBytes = 24;

/** Media types that the server takes, and "convert" for pictures that some browsers can show. */
const kinds: [name: string, type: string, magic: (bytes: Uint8Array, text: string) => boolean][] = [
  ["a JPEG", "image/jpeg", (b) => b[0] === 0xff && b[1] === 0xd8 && b[2] === 0xff],
  ["a PNG", "image/png", (b, text) => b[0] === 0x89 && text.startsWith("PNG\r\n\x1a\n", 1)],
  ["a PDF document", "", (_, text) => text.startsWith("%PDF")],
  ["a GIF", "", (_, text) => text.startsWith("GIF8")],
  ["a WebP picture", "convert", (_, text) => text.startsWith("RIFF") && text.startsWith("WEBP", 8)],
  ["a HEIC picture", "convert", (_, text) => /^ftyp(hei|hev|mif1|msf1)/.test(text.slice(4))],
  ["an AVIF picture", "convert", (_, text) => /^ftypavi/.test(text.slice(4))],
  ["a video", "", (b, text) => text.startsWith("ftyp", 4) || (b[0] === 0x1a && b[1] === 0x45 && b[2] === 0xdf && b[3] === 0xa3)],
  ["a TIFF picture", "", (_, text) => text.startsWith("II*\0") || text.startsWith("MM\0*")],
  ["a BMP picture", "", (_, text) => text.startsWith("BM")],
  ["an archive", "", (b, text) => text.startsWith("PK\x03\x04") || (b[0] === 0x1f && b[1] === 0x8b)],
  ["a text", "", (_, text) => text.length > 0 && /^[\t\r\n\x20-\x7e]+$/.test(text)],
];

/** The pixels of a PNG of this head, as they are stored; null if it is cut. */
export function sizeOfPNG(head: Uint8Array): { width: number; height: number } | null {
  const view = new DataView(head.buffer, head.byteOffset);
  return view.byteLength < headBytes ? null : { width: view.getUint32(16), height: view.getUint32(20) };
}

/** Tells what the bytes are the first of: its name with an article, empty if it is not known, the media type if the server takes it, and whether a browser may make a JPEG of it. */
export function kindOf(bytes: Uint8Array): { name: string; type: string; convertible: boolean } {
  const text = String.fromCharCode(...bytes);
  const [name, type] = kinds.find(([, , is]) => is(bytes, text)) ?? ["", ""];
  const convertible = type === "convert";
  return { name, type: convertible ? "" : type, convertible };
}
