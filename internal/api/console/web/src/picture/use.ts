import { useEffect, useState } from "preact/hooks";
import type { Chosen } from "./load.ts";

/** Keeps a picture and lets go of the one before. */
export function usePicture(): [Chosen | null, (picture: Chosen) => void] {
  const [picture, setPicture] = useState<Chosen | null>(null);
  useEffect(() => () => { if (picture) URL.revokeObjectURL(picture.url); }, [picture]);
  return [picture, setPicture];
}
