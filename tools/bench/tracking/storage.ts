import { mkdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
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
const NOTES = 8;
const NOTE_MS = 1_000;
/** The server's own default. */
const HISTORY_SECONDS = 300;
/** Everything that points leave in the database. */
const COLLECTIONS = ["metric_batches", "metric_chunks", "metric_summaries", "metric_states", "stored_ranges"];

interface Sizes {
  /** Bytes in use, and of the files. */
  readonly used: number;
  readonly files: number;
}

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
        // With what the files keep free for the next points: the batches' own, and those of chunks that were packed again.
        { metric: "files_bytes_per_point", unit: "bytes", value: float32.files },
      ];
    } finally {
      await stage.stop();
    }
  },
};

/** By what the collections have grown: of what is in use, and of the files altogether. */
async function bytesPerPoint(stage: TrackingStage, say: (line: string) => void, float32: boolean) {
  say(`${POINTS} points in ${float32 ? "float32" : "float64"}`);
  const before = await sizes(stage);
  const { runId } = await storeRun(stage, { ranks: RANKS, steps: STEPS, keys: KEYS, seed: 1, float32 });
  say("waiting until they are packed, and what they were packed from is free");
  await packed(stage, runId);
  const after = await settled(stage);
  return { used: (after.used - before.used) / POINTS, files: after.files / (POINTS * (float32 ? 2 : 1)) };
}

/** Sizes once they do not fall any more. */
async function settled(stage: TrackingStage): Promise<Sizes> {
  const root = await MongoClient.connect(stage.servers.mongod.rootUri);
  try {
    // The database keeps what was removed readable for five minutes; at rest that time is over.
    await root.db("admin").command({ setParameter: 1, minSnapshotHistoryWindowInSeconds: 0 });
    for (let before = await sizes(stage); ; ) {
      for (let note = 0; note < NOTES; note++) {
        // Time goes on in the database only when something is written.
        await root.db("admin").command({ appendOplogNote: 1, data: { note } });
        await delay(NOTE_MS);
      }
      const now = await sizes(stage);
      if (now.used >= before.used) return now;
      before = now;
    }
  } finally {
    await root.db("admin").command({ setParameter: 1, minSnapshotHistoryWindowInSeconds: HISTORY_SECONDS });
    await root.close();
  }
}

async function sizes(stage: TrackingStage): Promise<Sizes> {
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
    const sent = await logBatches([["mlflow", server.url]], { turns: 1, calls: PEER_CALLS });
    const { version, points } = sent;
    const value = (statSync(database).size - before) / points;
    return { name: "mlflow server (SQLite)", version, value };
  } finally {
    await server.stop();
  }
}
