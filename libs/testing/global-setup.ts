import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startMongod } from "@trainyard/local";
import type { TestProject } from "vitest/node";

/** What the whole run shares, as test files get it by `inject`. */
declare module "vitest" {
  interface ProvidedContext {
    /** A user who may do everything on the run's mongod: makes each test's own database and user. */
    readonly mongodRootUri: string;
  }
}

/**
 * Runs once before the integration tests: one mongod for all files (it takes a second to start; databases are named per
 * test). nats-server starts in some milliseconds and its streams have fixed names, so each file gets its own; see
 * `testNats`.
 */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const major = Number(process.versions.node.split(".")[0]);
  if (major < 24) {
    throw new Error(
      `the tests run under Node ${process.version}, expected 24 or later: use \`npm test\` or \`npx vitest\``,
    );
  }
  const dir = mkdtempSync(join(tmpdir(), "trainyard-run-"));
  const mongod = await startMongod({ dir, dieWithParent: true });
  project.provide("mongodRootUri", mongod.rootUri);
  return async () => {
    await mongod.kill("SIGKILL");
    rmSync(dir, { recursive: true, force: true });
  };
}
