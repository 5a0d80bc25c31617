// A real server, started from the built program on a free loopback port with a data folder of its own.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, open, readFile, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("../..", import.meta.url));

export const region = "us-east-1";
export const account = "123456789012";
export const credentials = {
  accessKeyId: "AKIACONFORMANCETESTS",
  secretAccessKey: "conformance/tests+only/not-a-secret-0123",
};

const readyWithin = 60_000; // milliseconds
const stoppedWithin = 30_000; // milliseconds, which the server promises

export class Server {
  static async start() {
    const program = join(root, "bin", "recollect");
    if (!existsSync(program)) throw new Error(`${program} is missing: run make build`);
    const server = new Server();
    server.folder = await mkdtemp(join(tmpdir(), "recollect-"));
    server.port = await freePort();
    const log = await open(join(server.folder, "log"), "w");
    const args = ["serve", "--listen", `127.0.0.1:${server.port}`, "--data", join(server.folder, "data"), "--region", region, "--account", account];
    server.process = spawn(program, args, {
      env: {
        ...process.env,
        RECOLLECT_ROOT_ACCESS_KEY_ID: credentials.accessKeyId,
        RECOLLECT_ROOT_SECRET_ACCESS_KEY: credentials.secretAccessKey,
      },
      stdio: ["ignore", log.fd, log.fd],
    });
    await once(server.process, "spawn");
    await log.close();
    server.ended = once(server.process, "exit");
    const deadline = Date.now() + readyWithin;
    while (!(await server.ready())) {
      if (server.process.exitCode !== null || Date.now() > deadline) {
        server.process.kill("SIGKILL");
        throw new Error(`the server is not ready:\n${await server.log()}`);
      }
      await sleep(50);
    }
    return server;
  }

  get endpoint() {
    return `http://127.0.0.1:${this.port}`;
  }

  async ready() {
    try {
      return (await fetch(`${this.endpoint}/health/ready`)).status === 200;
    } catch {
      return false;
    }
  }

  log() {
    return readFile(join(this.folder, "log"), "utf8");
  }

  // Ends the server as an operator does, and sees to it that it ends well and in time.
  async stop() {
    this.process.kill("SIGTERM");
    const impatience = setTimeout(() => this.process.kill("SIGKILL"), stoppedWithin);
    const [code, signal] = await this.ended;
    clearTimeout(impatience);
    const log = await this.log();
    await rm(this.folder, { recursive: true });
    if (code !== 0) throw new Error(`the server ended with ${signal ?? code}:\n${log}`);
  }
}

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}
