// A Recollect server for tests.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";

const region = "us-east-1";
const readyWithin = 60_000; // milliseconds
const endWithin = 60_000; // longer than requests in flight may take

/** The program to start: that of RECOLLECT_PROGRAM, else the one in this package, else that of PATH. */
export function program() {
  const bundled = path.join(import.meta.dirname, "bundled", "bin", "recollect");
  return process.env.RECOLLECT_PROGRAM || (existsSync(bundled) ? bundled : "recollect");
}

/** A server on a free port of this machine, with a fresh data folder that is deleted with it. */
export class Server {
  #process;
  #ended;
  #folder;
  #log = "";

  /** Starts one, and waits until it is ready. */
  static async start({ flags = [], seed } = {}) {
    const server = new Server();
    server.#folder = await mkdtemp(path.join(tmpdir(), "recollect-"));
    try {
      await server.#open(flags, seed);
    } catch (error) {
      await server.stop();
      throw error;
    }
    return server;
  }

  async #open(flags, seed) {
    this.region = region;
    this.data = path.join(this.#folder, "data");
    const args = ["serve", "--listen", "127.0.0.1:0", "--data", this.data, "--region", region, "--lazy-models", ...flags];
    if (process.env.RECOLLECT_LIBRARY) args.push("--library", process.env.RECOLLECT_LIBRARY);
    if (seed !== undefined) args.push("--seed", String(seed));
    // The settings of a server of the developer's own are none of this one's.
    const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("RECOLLECT_")));
    const child = spawn(program(), args, { env, stdio: ["ignore", "pipe", "pipe"] });
    this.#process = child;
    child.stderr.on("data", (data) => { this.#log = (this.#log + data).slice(-20_000); });
    this.url = await new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error(`the server is not ready within ${readyWithin} ms:\n${this.#log}`)), readyWithin);
      this.#ended = new Promise((end) => child.once("close", end));
      child.once("error", (error) => {
        clearTimeout(late);
        this.#process = undefined;
        reject(new Error(`${program()} cannot be started: ${error.message}`));
      });
      child.once("close", (status) => {
        clearTimeout(late);
        reject(new Error(`the server has ended with ${status}:\n${this.#log}`));
      });
      createInterface(child.stdout).on("line", (line) => {
        const found = /is ready on (https?:\/\/\S+)/.exec(line);
        if (!found) return;
        clearTimeout(late);
        resolve(found[1]);
      });
    });
    const credentials = await readFile(path.join(this.data, "credentials"), "utf8");
    this.accessKeyId = /^aws_access_key_id\s*=\s*(\S+)/m.exec(credentials)[1];
    this.secretAccessKey = /^aws_secret_access_key\s*=\s*(\S+)/m.exec(credentials)[1];
  }

  /** The end of what the server wrote. */
  get log() {
    return this.#log;
  }

  /** Arguments of the AWS SDK's clients. */
  clientConfig() {
    return { endpoint: this.url, region, credentials: { accessKeyId: this.accessKeyId, secretAccessKey: this.secretAccessKey } };
  }

  /** The environment variables that lead AWS SDKs to the server, with its root key. */
  environment() {
    return { AWS_ENDPOINT_URL_REKOGNITION: this.url, AWS_ACCESS_KEY_ID: this.accessKeyId, AWS_SECRET_ACCESS_KEY: this.secretAccessKey, AWS_REGION: region };
  }

  /** Ends the server and deletes its data. A later call does nothing. */
  async stop() {
    if (this.#process) {
      const kill = setTimeout(() => this.#process.kill("SIGKILL"), endWithin);
      this.#process.kill("SIGTERM");
      await this.#ended;
      clearTimeout(kill);
    }
    await rm(this.#folder, { recursive: true, force: true });
  }
}

/** Sets the environment variables of the AWS SDKs, and unsets what would come before them. */
export function useServer(environment) {
  Object.assign(process.env, environment);
  delete process.env.AWS_PROFILE;
  delete process.env.AWS_SESSION_TOKEN;
}
