import { mkdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { startStage, type TrackingStage } from "@trainyard/test/tracking/stage.ts";
import { MongoClient } from "mongodb";
import { startMlflowServer } from "../../mlflow/mlflow-server.ts";
import type { Bench, Measurement } from "../result.ts";
import { logBatches } from "./mlflow-client.ts";
import { packed, storeRun } from "./stored-run.ts";

const RANKS = 2;
const STEPS = 100_000;
const KEYS = ["train/loss", "train/accuracy", "train/grad_norm", "lr", "throughput"];
const POINTS = RANKS * STEPS * KEYS.length;
const PEER_CALLS = 50;
const AIM = { op: "<", value: 12 } as const;
/** Everything that points leave in the database. */
const COLLECTIONS = ["metric_batches", "metric_chunks", "metric_summaries", "metric_states", "stored_ranges"];

/** What a point takes on disk once its run has been packed. */
export const storageBench: Bench = {
  name: "storage",
  about:
    "bytes of the database's files per point at rest, indexes included, beside MLflow's server on SQLite",
  async run(say): Promise<readonly Measurement[]> {
    const stage = await startStage();
    try {
      // Every value has noise in its last bits; in float32, as most trainings compute, it has fewer of them.
      const float64 = await bytesPerPoint(stage, say, false);
      const float32 = await bytesPerPoint(stage, say, true);
      const peer = await mlflowBytes(stage, say);
      return [
        { metric: "float64_bytes_per_point", unit: "bytes", value: float64.used, peer, aim: AIM },
        { metric: "float32_bytes_per_point", unit: "bytes", value: float32.used, peer, aim: AIM },
        { metric: "with_reusable_space_bytes_per_point", unit: "bytes", value: float32.files },
      ];
    } finally {
      await stage.stop();
    }
  },
};

/** By what the collections have grown: of what is in use, and of the files, whose free space the next points take. */
async function bytesPerPoint(stage: TrackingStage, say: (line: string) => void, float32: boolean) {
  say(`${POINTS} points in ${float32 ? "float32" : "float64"}`);
  const before = await sizes(stage);
  const { runId } = await storeRun(stage, { ranks: RANKS, steps: STEPS, keys: KEYS, seed: 1, float32 });
  say("waiting until they are packed");
  await packed(stage, runId);
  const after = await sizes(stage);
  return { used: (after.used - before.used) / POINTS, files: after.files / (POINTS * (float32 ? 2 : 1)) };
}

async function sizes(stage: TrackingStage): Promise<{ readonly used: number; readonly files: number }> {
  const root = await MongoClient.connect(stage.servers.mongod.rootUri);
  try {
    await root.db("admin").command({ fsync: 1 }); // A checkpoint: what was written is in the files.
    const db = root.db((await stage.database()).db().databaseName);
    const total = { used: 0, files: 0 };
    for (const name of COLLECTIONS) {
      const stats = await db.command({ collStats: name });
      total.used += stats.storageSize - (stats.freeStorageSize ?? 0) + stats.totalIndexSize;
      total.files += stats.storageSize + stats.totalIndexSize;
    }
    return total;
  } finally {
    await root.close();
  }
}

async function mlflowBytes(stage: TrackingStage, say: (line: string) => void) {
  say("the same in MLflow's server");
  const home = join(stage.dir, "mlflow");
  mkdirSync(home);
  const server = await startMlflowServer(home);
  const database = join(home, "mlflow.db");
  try {
    const before = statSync(database).size;
    const { version } = await logBatches(server.url, { calls: PEER_CALLS });
    // One batch more than is timed.
    const value = (statSync(database).size - before) / ((PEER_CALLS + 1) * 1_000);
    return { name: "mlflow server (SQLite)", version, value };
  } finally {
    await server.stop();
  }
}
