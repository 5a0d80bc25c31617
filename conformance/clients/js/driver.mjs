// The AWS SDK for JavaScript v3 as a driver: see ../README.md for the protocol. It knows no operation: commands and
// paginators are found by name among what the SDK exports.

import { AsyncLocalStorage } from "node:async_hooks";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

import * as sdk from "@aws-sdk/client-rekognition";

// What is known of the call under way: { accepted: whether the client took the input, that is, made a request of it }.
const underway = new AsyncLocalStorage();

// A thing that this client cannot do. Nothing was sent.
class Refusal extends Error {}

function newClient(overrides = {}) {
  const { accessKeyId, secretAccessKey, sessionToken, region, endpoint, retryMode, maxAttempts, timeoutMs } = overrides;
  if (retryMode === "legacy") throw new Refusal("this client has no retry mode legacy");
  const config = { region, endpoint, retryMode, maxAttempts };
  if (accessKeyId !== undefined || secretAccessKey !== undefined || sessionToken !== undefined) {
    config.credentials = {
      accessKeyId: accessKeyId ?? process.env.AWS_ACCESS_KEY_ID,
      secretAccessKey: secretAccessKey ?? process.env.AWS_SECRET_ACCESS_KEY,
      sessionToken: sessionToken ?? process.env.AWS_SESSION_TOKEN,
    };
  }
  if (timeoutMs !== undefined) {
    config.requestHandler = { connectionTimeout: timeoutMs, requestTimeout: timeoutMs, throwOnRequestTimeout: true };
  }
  // An option that is present counts for the SDK even if it is undefined.
  const client = new sdk.RekognitionClient(Object.fromEntries(Object.entries(config).filter(([, value]) => value !== undefined)));
  const note = (next) => (args) => {
    underway.getStore().accepted = true;
    return next(args);
  };
  client.middlewareStack.add(note, { step: "build", name: "noteThatItIsAccepted" });
  return client;
}

function find(name) {
  if (!(name in sdk)) throw new Refusal(`this client has no ${name}`);
  return sdk[name];
}

// From the protocol's JSON to what the SDK takes.
function decode(value) {
  if (Array.isArray(value)) return value.map(decode);
  if (value === null || typeof value !== "object") return value;
  if (typeof value.$blob === "string") return Buffer.from(value.$blob, "base64");
  if (typeof value.$float === "string") return Number(value.$float);
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, decode(member)]));
}

// From what the SDK returns to the protocol's JSON.
function encode(value) {
  if (Array.isArray(value)) return value.map(encode);
  if (value instanceof Date) return value.getTime() / 1000;
  if (value instanceof Uint8Array) return { $blob: Buffer.from(value).toString("base64") };
  if (value === null || typeof value !== "object") return value;
  const members = Object.entries(value).filter(([name, member]) => name !== "$metadata" && member !== undefined && member !== null);
  return Object.fromEntries(members.map(([name, member]) => [name, encode(member)]));
}

// The outcome of what make does, as an answer. make may use the client.
function answer(make) {
  const state = { accepted: false };
  return underway.run(state, async () => {
    try {
      return await make();
    } catch (error) {
      if (error instanceof sdk.RekognitionServiceException) {
        const { name, message, $metadata, constructor } = error;
        const modelled = constructor !== sdk.RekognitionServiceException;
        return { error: { code: name, message, status: $metadata.httpStatusCode, requestId: $metadata.requestId, modelled } };
      }
      const refused = error instanceof Refusal || !state.accepted;
      return { [refused ? "refused" : "failed"]: String(error) };
    }
  });
}

const call = (operation, input) =>
  answer(async () => {
    const output = await client.send(new (find(`${operation}Command`))(decode(input)));
    const { httpStatusCode, requestId } = output.$metadata;
    return { output: encode(output), status: httpStatusCode, requestId };
  });

const paginate = (operation, input, pageSize) =>
  answer(async () => {
    const pages = [];
    for await (const page of find(`paginate${operation}`)({ client, pageSize }, decode(input))) pages.push(encode(page));
    return { pages };
  });

const configure = (overrides) =>
  answer(() => {
    const configured = newClient(overrides);
    client.destroy();
    client = configured;
    return { ok: true };
  });

function describe() {
  // The package does not export its package.json, which stands two folders above its entry.
  const entry = createRequire(import.meta.url).resolve("@aws-sdk/client-rekognition");
  const { name, version } = JSON.parse(readFileSync(new URL("../package.json", `file://${entry}`)));
  return { client: name, version, runtime: `Node.js ${process.versions.node}` };
}

async function handle(request) {
  if (request.describe) return describe();
  if (request.configure) return configure(request.configure);
  const input = request.input ?? {};
  if (request.paginate) return paginate(request.paginate, input, request.pageSize);
  if (request.concurrent) return { answers: await Promise.all(Array.from({ length: request.concurrent }, () => call(request.call, input))) };
  if (request.call) return call(request.call, input);
  return { failed: "this is no request of the protocol" };
}

let client = newClient();

for await (const line of createInterface({ input: process.stdin, crlfDelay: Infinity })) {
  const request = JSON.parse(line);
  process.stdout.write(`${JSON.stringify({ id: request.id, ...(await handle(request)) })}\n`);
}
client.destroy();
