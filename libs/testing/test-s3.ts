import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { findVersitygw, freePort } from "@trainyard/local";
import { atFileEnd } from "./cleanup.ts";
import { tempDir } from "./temp-dir.ts";
import { waitFor } from "./wait-for.ts";

/** A real S3 server of the test file's own, with one bucket. */
export interface TestS3 {
  /** The bucket's folder: an object is a file in it. */
  readonly folder: string;
  /** The variables by which AWS clients find their credentials. */
  readonly env: Readonly<Record<string, string>>;
  /** A blob store in the bucket; each prefix is a store of its own. */
  url(prefix: string): string;
  stop(): Promise<void>;
  /** Starts it again on the same port and folder. */
  start(): Promise<void>;
}

const BUCKET = "trainyard-blobs";

/** Starts versitygw, on loopback unless told, and sets this process's credentials to its; gone when the test file ends. */
export async function testS3(host = "127.0.0.1"): Promise<TestS3> {
  const root = tempDir("s3");
  const folder = join(root, BUCKET);
  mkdirSync(folder);
  const port = await freePort(host);
  const credentials = { AWS_ACCESS_KEY_ID: "test-access-key", AWS_SECRET_ACCESS_KEY: "test-secret-key" };
  Object.assign(process.env, credentials);
  const endpoint = `http://${host}:${port}`;
  let child: ChildProcess | undefined;
  const stop = async () => {
    const running = child;
    child = undefined;
    if (running === undefined || running.exitCode !== null) return;
    running.kill("SIGKILL");
    await once(running, "exit");
  };
  const start = async () => {
    const args = ["--port", `${host}:${port}`, "--region", "us-east-1", "--quiet", "posix", root];
    const env = {
      ROOT_ACCESS_KEY: credentials.AWS_ACCESS_KEY_ID,
      ROOT_SECRET_KEY: credentials.AWS_SECRET_ACCESS_KEY,
    };
    child = spawn(findVersitygw(), args, { env, stdio: "ignore" });
    await waitFor("the S3 server to answer", async () => (await fetch(endpoint)).status > 0);
  };
  atFileEnd(stop);
  await start();
  return {
    folder,
    env: credentials,
    url: (prefix) => `s3://${BUCKET}/${prefix}?endpoint=${encodeURIComponent(endpoint)}`,
    stop,
    start,
  };
}
