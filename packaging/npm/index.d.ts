/** What a server is started with. */
export interface Options {
  /** Further flags of `recollect serve`. */
  flags?: string[];
  /** Makes the ids of faces those of every other server with this seed to which the same requests are sent, one after the other. */
  seed?: number;
}

/** A server on a free port of this machine, with a fresh data folder that is deleted with it. */
export class Server {
  /** Starts one, and waits until it is ready. Throws with what it wrote. */
  static start(options?: Options): Promise<Server>;
  readonly url: string;
  readonly region: string;
  /** Of the root key, which may do everything. */
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Folder of its data. */
  readonly data: string;
  /** The end of what the server wrote. */
  readonly log: string;
  /** Arguments of the AWS SDK's clients. */
  clientConfig(): { endpoint: string; region: string; credentials: { accessKeyId: string; secretAccessKey: string } };
  /** The environment variables that lead AWS SDKs to the server, with its root key. */
  environment(): Record<string, string>;
  /** Ends the server and deletes its data. A later call does nothing. */
  stop(): Promise<void>;
}

/** The program to start. */
export function program(): string;

/** Sets the environment variables of the AWS SDKs, and unsets what would come before them. */
export function useServer(environment: Record<string, string>): void;
