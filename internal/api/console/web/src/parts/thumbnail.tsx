import { useEffect, useState } from "preact/hooks";
import { useLoaded } from "../hooks.ts";
import { Refusal } from "../server/client.ts";
import { useSession } from "../session.ts";

/** The permission to see what the server keeps of faces; nobody has it where the server keeps none. */
export const seeThumbnails = "recollect:GetThumbnail";

/** The small picture that the server keeps of a face. Of a face that was indexed without one there is an empty place. */
export function Thumbnail({ collection, face, size = 56 }: { collection: string; face: string; size?: number }) {
  const { client } = useSession();
  const picture = useLoaded<Blob | null>(async (signal) => {
    try {
      return await client.picture("thumbnail", { collection, face }, signal);
    } catch (error) {
      if (error instanceof Refusal) return null;
      throw error;
    }
  }, [client, collection, face]);
  const [url, setUrl] = useState("");
  useEffect(() => {
    if (!picture.value) return;
    const made = URL.createObjectURL(picture.value);
    setUrl(made);
    return () => {
      setUrl("");
      URL.revokeObjectURL(made);
    };
  }, [picture.value]);
  return <span class="crop" style={{ width: `${size}px`, height: `${size}px` }}>{url && <img src={url} alt="The face as it was indexed" width={size} height={size} />}</span>;
}
