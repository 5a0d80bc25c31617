import { sign, type AccessKey } from "./sigv4.ts";

/** An answer of the server that is an error. */
export class Refusal extends Error {
  constructor(readonly code: string, message: string, readonly status: number) {
    super(message);
  }
}

/** No answer came: whether the request was carried out is not known. */
export class ConnectionLost extends Error {
  constructor() {
    super("the server did not answer");
  }
}

const attempts = 4;
const throttled = new Set(["ThrottlingException", "ProvisionedThroughputExceededException", "RequestTimeoutException"]);
/** Errors after which the key is of no use. */
const rejected = new Set(["UnrecognizedClientException", "InvalidSignatureException"]);

/** Calls the server with one access key, as an SDK does: signed, and again after a while where the server asks for it. */
export class Client {
  /** Milliseconds that the server's clock is ahead of this machine's. */
  private ahead = 0;

  /** Is told once the server does not accept the key any more. */
  onRejected: (why: Refusal) => void = () => {};

  constructor(readonly key: AccessKey) {}

  /** Runs an operation of the face API. Throws Refusal, ConnectionLost, or the signal's reason. */
  call<T>(operation: string, input: object, signal?: AbortSignal): Promise<T> {
    const headers = { "content-type": "application/x-amz-json-1.1", "x-amz-target": "RekognitionService." + operation };
    return this.request("POST", new URL("/", location.href), headers, JSON.stringify(input), (response) => response.json(), signal);
  }

  /** Reads a path of the operator's routes. Throws as call does. */
  read<T>(path: string, query: Record<string, string> = {}, signal?: AbortSignal): Promise<T> {
    return this.request("GET", adminURL(path, query), {}, "", (response) => response.json(), signal);
  }

  /** Runs an operation that the face API does not have, at a path beside it. Throws as call does. */
  post<T>(path: string, input: object, signal?: AbortSignal): Promise<T> {
    return this.request("POST", adminURL(path, {}), {}, JSON.stringify(input), (response) => response.json(), signal);
  }

  /** Reads a picture at a path of the operator's routes. Throws as call does. */
  picture(path: string, query: Record<string, string>, signal?: AbortSignal): Promise<Blob> {
    return this.request("GET", adminURL(path, query), {}, "", (response) => response.blob(), signal);
  }

  private async request<T>(
    method: string, url: URL, headers: Record<string, string>, text: string, take: (response: Response) => Promise<T>, signal?: AbortSignal,
  ): Promise<T> {
    const body = new TextEncoder().encode(text);
    let clockSet = false;
    for (let attempt = 1; ; attempt++) {
      const signed = await sign(this.key, method, url, headers, body, new Date(Date.now() + this.ahead));
      let response: Response;
      let answer: any;
      try {
        const options: RequestInit = { method, headers: signed, cache: "no-store", credentials: "omit", referrerPolicy: "no-referrer" };
        if (method !== "GET") options.body = body;
        if (signal) options.signal = signal;
        response = await fetch(url, options);
        if (response.ok) return await take(response);
        answer = await response.json();
      } catch (error) {
        signal?.throwIfAborted();
        throw error instanceof SyntaxError ? new Refusal("InternalServerError", "The answer is not of Recollect: is there a proxy between?", 502) : new ConnectionLost();
      }
      const code = String(answer.__type ?? answer.Code ?? "InternalServerError").replace(/^.*#/, "");
      const refusal = new Refusal(code, answer.Message ?? answer.message ?? "", response.status);
      if (!clockSet && this.setClock(refusal, response)) {
        clockSet = true;
        continue;
      }
      if (throttled.has(code) && attempt < attempts) {
        await pause(300 * 2 ** attempt * (0.5 + Math.random()), signal);
        continue;
      }
      if (rejected.has(code)) this.onRejected(refusal);
      throw refusal;
    }
  }

  /** Takes over the server's clock if the signature was refused for its time. Says whether it did. */
  private setClock(refusal: Refusal, response: Response): boolean {
    if (refusal.code !== "InvalidSignatureException" || !/^Signature (expired|not yet current)/.test(refusal.message)) return false;
    const theirs = Date.parse(response.headers.get("date") ?? "");
    if (Number.isNaN(theirs)) return false;
    this.ahead = theirs - Date.now();
    return true;
  }
}

/** The address of a path of the operator's routes. */
function adminURL(path: string, query: Record<string, string>): URL {
  const url = new URL("/recollect/v1/" + path, location.href);
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
  return url;
}

function pause(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds);
    signal?.addEventListener("abort", () => { clearTimeout(timer); reject(signal.reason); }, { once: true });
  });
}
