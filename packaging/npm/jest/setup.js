// For Jest's globalSetup: one server for the run, to which the environment of the AWS SDKs leads in every test.
import { Server, useServer } from "../index.js";

export default async function setup() {
  const server = await Server.start({ seed: process.env.RECOLLECT_TEST_SEED });
  useServer(server.environment()); // Jest hands it on to its workers
  globalThis.recollectServer = server;
}
