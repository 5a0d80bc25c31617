// Signs requests by AWS Signature Version 4, with the browser's own cryptography.
// Source of the algorithm: "Create a signed AWS API request" in AWS's IAM user guide.

/** An access key, and the region that its requests are for. */
export interface AccessKey {
  id: string;
  secret: string;
  region: string;
}

const service = "rekognition";
const encoder = new TextEncoder();

function hex(bytes: ArrayBuffer): string {
  return Array.from(new Uint8Array(bytes), (b) => b.toString(16).padStart(2, "0")).join("");
}

async function sha256(data: Uint8Array<ArrayBuffer>): Promise<string> {
  return hex(await crypto.subtle.digest("SHA-256", data));
}

async function hmac(key: BufferSource, text: string): Promise<ArrayBuffer> {
  const imported = await crypto.subtle.importKey("raw", key, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  return crypto.subtle.sign("HMAC", imported, encoder.encode(text));
}

/** Escapes all but RFC 3986's unreserved characters. */
function escape(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (c) => "%" + c.charCodeAt(0).toString(16).toUpperCase());
}

/**
 * Returns the headers that a request needs: those given, the date and the authorization. The path of the URL must be one
 * that needs no escaping. The host is signed too; the browser sends it by itself.
 */
export async function sign(
  key: AccessKey, method: string, url: URL, headers: Record<string, string>, body: Uint8Array<ArrayBuffer>, now: Date,
): Promise<Record<string, string>> {
  const stamp = now.toISOString().replace(/[-:]|\.\d+/g, "");
  const day = stamp.slice(0, 8);
  const all: Record<string, string> = { ...headers, "x-amz-date": stamp };
  const signed: [string, string][] = Object.entries({ ...all, host: url.host })
    .map(([name, value]): [string, string] => [name.toLowerCase(), value])
    .sort(([a], [b]) => (a < b ? -1 : 1));
  const names = signed.map(([name]) => name).join(";");
  const query = [...url.searchParams].map(([name, value]) => `${escape(name)}=${escape(value)}`).sort().join("&");
  const request = [
    method, url.pathname, query, ...signed.map(([name, value]) => `${name}:${value}`), "", names, await sha256(body),
  ].join("\n");
  const scope = `${day}/${key.region}/${service}/aws4_request`;
  const toSign = ["AWS4-HMAC-SHA256", stamp, scope, await sha256(encoder.encode(request))].join("\n");
  let secret: BufferSource = encoder.encode("AWS4" + key.secret);
  for (const step of [day, key.region, service, "aws4_request"]) secret = await hmac(secret, step);
  const signature = hex(await hmac(secret, toSign));
  return { ...all, authorization: `AWS4-HMAC-SHA256 Credential=${key.id}/${scope}, SignedHeaders=${names}, Signature=${signature}` };
}
