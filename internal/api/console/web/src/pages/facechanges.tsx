import type { Call } from "../code.ts";
import { counted } from "../format.ts";
import { Confirm } from "../parts/confirm.tsx";
import type { Face } from "../server/types.ts";
import { useSession } from "../session.ts";

/** The most faces that one call takes. */
const mostDeleted = 4096;
const mostAssociated = 100;

const reasons: Record<string, string> = {
  ASSOCIATED_TO_AN_EXISTING_USER: "it belongs to a user: disassociate it first",
  ASSOCIATED_TO_A_DIFFERENT_USER: "it belongs to another user",
  FACE_NOT_FOUND: "it is not there any more",
  LOW_MATCH_CONFIDENCE: "it is not similar enough to the user's faces",
};

export interface Failed { FaceId: string; Reasons?: string[]; UserId?: string; Confidence?: number }

/** Says of faces that a call left as they were why it did, once for each reason. */
export function failures(failed: Failed[], faces: Face[]): string[] {
  const name = new Map(faces.map((face) => [face.FaceId, face.ExternalImageId ?? face.FaceId]));
  return failed.map((f) => {
    const why = (f.Reasons ?? []).map((reason) => reasons[reason] ?? reason.toLowerCase().replaceAll("_", " ")).join(", ");
    return `${name.get(f.FaceId) ?? f.FaceId} was left as it was: ${why}${f.Confidence !== undefined ? ` (${f.Confidence.toFixed(1)})` : ""}.`;
  });
}

export function batches<T>(all: T[], size: number): T[][] {
  const parts: T[][] = [];
  for (let i = 0; i < all.length; i += size) parts.push(all.slice(i, i + size));
  return parts;
}

interface Change { collection: string; faces: Face[]; onClose: () => void; onDone: (what: string[]) => void }

/** Deletes faces. */
export function DeleteFaces({ collection, faces, onClose, onDone }: Change) {
  const session = useSession();
  const calls: Call[] = batches(faces.map((face) => face.FaceId), mostDeleted).map((ids) => ({ operation: "DeleteFaces", input: { CollectionId: collection, FaceIds: ids } }));
  const act = async (signal: AbortSignal) => {
    let deleted = 0;
    const failed: Failed[] = [];
    for (const call of calls) {
      const answer = await session.client.call<{ DeletedFaces: string[]; UnsuccessfulFaceDeletions?: Failed[] }>(call.operation, call.input, signal);
      deleted += answer.DeletedFaces.length;
      failed.push(...answer.UnsuccessfulFaceDeletions ?? []);
    }
    onDone([`${counted(deleted, "face")} deleted.`, ...failures(failed, faces)]);
  };
  return (
    <Confirm title="Delete faces" verb="Delete" calls={calls} act={act} onClose={onClose}>
      <p>{counted(faces.length, "face")} will be deleted. This cannot be undone.</p>
    </Confirm>
  );
}

/** Takes faces from the users that they belong to. */
export function Disassociate({ collection, faces, onClose, onDone }: Change) {
  const session = useSession();
  const byUser = new Map<string, string[]>();
  for (const face of faces) if (face.UserId) byUser.set(face.UserId, [...(byUser.get(face.UserId) ?? []), face.FaceId]);
  const calls: Call[] = [...byUser].flatMap(([user, ids]) => batches(ids, mostAssociated).map((FaceIds) => (
    { operation: "DisassociateFaces", input: { CollectionId: collection, UserId: user, FaceIds } })));
  const act = async (signal: AbortSignal) => {
    let taken = 0;
    const failed: Failed[] = [];
    for (const call of calls) {
      const answer = await session.client.call<{ DisassociatedFaces?: unknown[]; UnsuccessfulFaceDisassociations?: Failed[] }>(call.operation, call.input, signal);
      taken += answer.DisassociatedFaces?.length ?? 0;
      failed.push(...answer.UnsuccessfulFaceDisassociations ?? []);
    }
    onDone([`${counted(taken, "face")} disassociated.`, ...failures(failed, faces)]);
  };
  return (
    <Confirm title="Disassociate faces" verb="Disassociate" calls={calls} act={act} onClose={onClose}>
      <p>{counted([...byUser.values()].flat().length, "face")} will be taken from {byUser.size === 1 ? <>the user <strong>{[...byUser.keys()][0]}</strong></> : counted(byUser.size, "user")}. The faces stay in the collection.</p>
    </Confirm>
  );
}
