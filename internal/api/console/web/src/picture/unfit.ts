/** A file that is no picture for the server. The message says why; nothing was sent. */
export class Unfit extends Error {
  constructor(message: string, readonly advice = "") {
    super(message);
  }
}
