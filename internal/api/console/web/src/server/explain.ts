import { Unfit } from "../picture/unfit.ts";
import { ConnectionLost, Refusal } from "./client.ts";

/** What a person is told of a failure: what happened, and what to do about it. */
export interface Explanation { what: string; advice?: string }

const advice: Record<string, string> = {
  InvalidImageFormatException: "The server takes JPEG and PNG. The file may be damaged, or be something else under this name.",
  ImageTooLargeException: "Make the picture smaller: 100 megapixels and 5 MiB are the most.",
  ResourceAlreadyExistsException: "Choose another name.",
  ThrottlingException: "The server is starting or has too much to do. Wait a moment and try again.",
  ProvisionedThroughputExceededException: "The server limits how often this may be called. Wait a moment and try again.",
  ServiceQuotaExceededException: "The server's operator sets the quotas.",
  AccessDeniedException: "Your key's policies do not allow this.",
  RequestEntityTooLargeException: "Choose a smaller picture.",
  InvalidPaginationTokenException: "The collection changed. Go back to the first page.",
};

/** Says what a failure means. The server's own text is repeated: it names what is wrong. */
export function explain(error: unknown): Explanation {
  if (error instanceof ConnectionLost) {
    return {
      what: "The connection to the server was lost before its answer came.",
      advice: "Check that the server runs and can be reached, then try again. If you were changing something, look whether it is done.",
    };
  }
  if (error instanceof Refusal) {
    const what = error.message || error.code;
    return advice[error.code] ? { what, advice: advice[error.code]! } : { what };
  }
  if (error instanceof Unfit) return error.advice ? { what: error.message, advice: error.advice } : { what: error.message };
  return { what: error instanceof Error ? error.message : String(error) };
}

/** Says why a key was not accepted. */
export function explainRejected(refusal: Refusal): string {
  if (refusal.code === "UnrecognizedClientException") return "There is no such access key, or it is disabled.";
  if (/scoped to a valid region/.test(refusal.message)) return "This server does not stand for that region.";
  if (/^Signature (expired|not yet)/.test(refusal.message)) return "The clocks of this machine and of the server differ too much.";
  return "The secret does not belong to this access key.";
}
