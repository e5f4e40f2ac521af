import { createHash } from "node:crypto";
import { openBlobStore } from "@trainyard/blob";
import { type Bus, listDeadLetters } from "@trainyard/bus";
import type { registry } from "@trainyard/contracts";
import { type Platform, serviceNames } from "@trainyard/local";
import { waitFor } from "@trainyard/testing";
import { MongoClient } from "mongodb";
import type { Fleet } from "./fleet.ts";
import { rankProcesses } from "./rank-processes.ts";

/** A service that was killed last may still be starting, and publishes what it had committed when it has. */
const SETTLE_MS = 180_000;

/** Waits until nothing is left; gives back what is when the time is over. */
export async function stillLeft(
  what: string,
  look: () => Promise<readonly string[]>,
): Promise<readonly string[]> {
  let left: readonly string[] = [];
  const isEmpty = async () => {
    left = await look();
    return left.length === 0;
  };
  await waitFor(what, isEmpty, { timeoutMs: SETTLE_MS, intervalMs: 200 }).catch((error: unknown) => {
    if (left.length === 0) throw error;
  });
  return left;
}

/** The folders of the agents of all nodes. */
export function agentDirs(platform: Platform): readonly string[] {
  return platform.agents.map(({ nodeId }) => agentDir(platform, nodeId));
}

/** The folder of a node's agent. */
export function agentDir(platform: Platform, nodeId: string): string {
  return platform.serviceEnv("worker-agent", { nodeId }).TRAINYARD_AGENT_DIR ?? "";
}

/** Shims and ranks of the fleet's attempts that are alive. */
export function livingRanks(fleet: Fleet): readonly string[] {
  return rankProcesses(agentDirs(fleet.platform)).map(
    ({ pid, attempt, command }) => `${pid} of ${attempt}: ${command}`,
  );
}

/** Events that a service has committed and not published: "scheduler: job.ended". */
export async function unpublished(fleet: Fleet): Promise<readonly string[]> {
  const found: string[] = [];
  for (const service of serviceNames) {
    const env = fleet.platform.serviceEnv(service);
    const client = new MongoClient(env.TRAINYARD_MONGODB_URI ?? "");
    try {
      const rows = client.db(env.TRAINYARD_MONGODB_DATABASE).collection("outbox");
      for await (const row of rows.find({ state: "unpublished" })) found.push(`${service}: ${row.type}`);
    } finally {
      await client.close();
    }
  }
  return found;
}

/** The dead letters, in words. */
export async function deadLetters(bus: Bus): Promise<readonly string[]> {
  const letters = await listDeadLetters(bus);
  return letters.map(({ consumer, subject, reason }) => `${consumer} gave up ${subject}: ${reason}`);
}

/** Files of the version that are not in the blob store as they were said to be. */
export async function spoiltFiles(fleet: Fleet, version: registry.ModelVersion): Promise<readonly string[]> {
  const blobs = openBlobStore(fleet.platform.serviceEnv("tracking").TRAINYARD_BLOB_URL ?? "");
  const spoilt: string[] = [];
  for (const { path, digest, sizeBytes } of version.files) {
    const hash = createHash("sha256");
    let size = 0n;
    try {
      for await (const chunk of await blobs.open(digest)) {
        hash.update(chunk);
        size += BigInt(chunk.length);
      }
    } catch (error) {
      spoilt.push(`${path} cannot be read: ${error instanceof Error ? error.message : String(error)}`);
      continue;
    }
    if (hash.digest("hex") !== digest || size !== sizeBytes)
      spoilt.push(`${path} is not what ${digest} names`);
  }
  return version.files.length === 0 ? ["it has no files"] : spoilt;
}
