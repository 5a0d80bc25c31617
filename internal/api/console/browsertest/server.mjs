// A real server for the tests, started from the built program, and calls to it that do not go through the console.
import { spawn, execFile } from "node:child_process";
import { createHash, createHmac, randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";

export const root = path.resolve(import.meta.dirname, "../../../..");
const program = path.join(root, "bin", "recollect");
const run = promisify(execFile);

const account = "123456789012";
const readyWithin = 60_000; // milliseconds

/** A running server on a data folder of its own. */
export class Server {
  /** Starts one with these further flags of `serve`. */
  static async start(...flags) {
    if (!existsSync(program)) throw new Error(`${program} is missing: run make build`);
    const server = new Server();
    server.folder = await mkdtemp(path.join(tmpdir(), "recollect-console-"));
    server.flags = flags;
    // The root key is made here, and as good as any.
    server.root = { id: "AKIA" + randomBytes(8).toString("hex").toUpperCase(), secret: randomBytes(30).toString("base64") };
    await server.open("127.0.0.1:0");
    return server;
  }

  async open(listen) {
    const env = { PATH: process.env.PATH, HOME: process.env.HOME, RECOLLECT_ROOT_ACCESS_KEY_ID: this.root.id, RECOLLECT_ROOT_SECRET_ACCESS_KEY: this.root.secret };
    this.log = "";
    this.process = spawn(program, ["serve", "--listen", listen, "--data", path.join(this.folder, "data"), ...this.flags], { env });
    this.process.stderr.on("data", (data) => { this.log = (this.log + data).slice(-20_000); });
    let said = "";
    this.url = await new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error(`not ready within ${readyWithin} ms:\n${this.log}`)), readyWithin);
      this.process.on("exit", (status) => reject(new Error(`the server ended with ${status}:\n${this.log}`)));
      this.process.stdout.on("data", (data) => {
        said += data;
        const url = /is ready on (http:\S+)/.exec(said)?.[1];
        if (!url) return;
        clearTimeout(late);
        resolve(url);
      });
    });
  }

  /** Ends the server; reopen starts it again at the same address and on the same data. */
  async close() {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return;
    const ended = new Promise((resolve) => this.process.once("exit", resolve));
    this.process.kill("SIGTERM");
    await ended;
  }

  reopen() {
    return this.open(new URL(this.url).host);
  }

  async remove() {
    await this.close();
    await rm(this.folder, { recursive: true, force: true });
  }

  /** Runs `recollect keys` on the server's data. */
  async keys(...args) {
    const { stdout } = await run(program, ["keys", ...args, "--data", path.join(this.folder, "data")]);
    return stdout;
  }

  /** Makes a key for a user with policies, as an operator does. */
  async createKey(user, ...policies) {
    const text = await this.keys("create", user, ...policies.flatMap((policy) => ["--policy", policy]));
    return { id: /aws_access_key_id = (\S+)/.exec(text)[1], secret: /aws_secret_access_key = (\S+)/.exec(text)[1] };
  }

  /** Calls an operation with the root key, and returns its answer. */
  async call(operation, input) {
    const body = JSON.stringify(input);
    const { host } = new URL(this.url);
    const stamp = new Date().toISOString().replace(/[-:]|\.\d+/g, "");
    const scope = `${stamp.slice(0, 8)}/us-east-1/rekognition/aws4_request`;
    const headers = { "content-type": "application/x-amz-json-1.1", host, "x-amz-date": stamp, "x-amz-target": "RekognitionService." + operation };
    const names = Object.keys(headers).join(";");
    const hash = (text) => createHash("sha256").update(text).digest("hex");
    const canonical = ["POST", "/", "", ...Object.entries(headers).map(([k, v]) => `${k}:${v}`), "", names, hash(body)].join("\n");
    let key = "AWS4" + this.root.secret;
    for (const step of scope.split("/")) key = createHmac("sha256", key).update(step).digest();
    const signature = createHmac("sha256", key).update(["AWS4-HMAC-SHA256", stamp, scope, hash(canonical)].join("\n")).digest("hex");
    const { host: _, ...sent } = headers;
    const response = await fetch(this.url, {
      method: "POST", body,
      headers: { ...sent, authorization: `AWS4-HMAC-SHA256 Credential=${this.root.id}/${scope}, SignedHeaders=${names}, Signature=${signature}` },
    });
    const answer = await response.json();
    if (!response.ok) throw new Error(`${operation}: ${answer.__type}: ${answer.Message ?? answer.message}`);
    return answer;
  }

  arn(collection) {
    return `arn:aws:rekognition:us-east-1:${account}:collection/${collection}`;
  }
}

const lfw = path.join(root, "..", "shared", "data", "lfw", "images");

/** Why tests with real pictures cannot run, or false if they can. */
export const noPictures = existsSync(lfw) ? false : `there are no pictures in ${lfw}`;

/** The path of a file of the test data. */
export function shared(...parts) {
  return path.join(root, "..", "shared", "data", ...parts);
}

/** People of Labeled Faces in the Wild with at least so many pictures, in order of name: each with the paths of their pictures. */
export async function people(pictures) {
  const found = [];
  for (const name of (await readdir(lfw)).sort()) {
    const files = (await readdir(path.join(lfw, name))).sort();
    if (files.length >= pictures) found.push({ name, pictures: files.map((file) => path.join(lfw, name, file)) });
  }
  return found;
}
