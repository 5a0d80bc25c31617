// A PostgreSQL server for the tests, from the programs that make postgres installs.
import { spawn, execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { chmod, chown, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { root } from "./server.mjs";

const programs = path.join(root, ".cache", "postgres", "embedded_postgres", "pginstall", "bin");
const run = promisify(execFile);
const readyWithin = 60_000; // milliseconds
const nobody = 65534;

/** Why tests with PostgreSQL cannot run, or false if they can. */
export const noPostgres = existsSync(path.join(programs, "postgres")) ? false : `there is no PostgreSQL in ${programs}: run make postgres`;

async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** A running server with an empty database. */
export class Postgres {
  static async start() {
    const it = new Postgres();
    it.folder = await mkdtemp(path.join(tmpdir(), "recollect-postgres-"));
    const data = path.join(it.folder, "data");
    // PostgreSQL does not run as root.
    const who = process.getuid() === 0 ? { uid: nobody, gid: nobody } : {};
    await chmod(it.folder, 0o755);
    if (who.uid) await chown(it.folder, who.uid, who.gid);
    const options = { ...who, cwd: it.folder };
    await run(path.join(programs, "initdb"), ["--pgdata", data, "--username", "postgres", "--auth", "trust", "--encoding", "UTF8", "--locale", "C", "--no-sync"], options);
    const port = await freePort();
    it.url = `postgres://postgres@127.0.0.1:${port}/postgres?sslmode=disable`;
    it.process = spawn(path.join(programs, "postgres"), ["-D", data, "-p", String(port), "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync=off", "-c", "max_connections=200"], { ...options, stdio: ["ignore", "ignore", "pipe"] });
    let log = "";
    await new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error(`PostgreSQL is not ready:\n${log}`)), readyWithin);
      it.process.on("exit", () => reject(new Error(`PostgreSQL ended:\n${log}`)));
      it.process.stderr.on("data", (text) => {
        log += text;
        if (!log.includes("ready to accept connections")) return;
        clearTimeout(late);
        resolve();
      });
    });
    return it;
  }

  /** The path of a file with a new master key. */
  async masterKey() {
    const file = path.join(await mkdtemp(path.join(tmpdir(), "recollect-key-")), "master-key");
    this.keyFolder = path.dirname(file);
    await writeFile(file, `recollect-master-key-1:${randomBytes(32).toString("base64")}\n`, { mode: 0o600 });
    return file;
  }

  async stop() {
    const ended = new Promise((resolve) => this.process.once("exit", resolve));
    if (this.process.exitCode === null) {
      this.process.kill("SIGINT");
      await ended;
    }
    for (const folder of [this.folder, this.keyFolder]) if (folder) await rm(folder, { recursive: true, force: true });
  }
}
