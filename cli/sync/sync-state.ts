import { join } from "node:path";
import { z } from "zod";
import { readState, saveState } from "../moving/state-file.ts";
import type { LocalRun } from "./local-run.ts";

const end = z.object({
  status: z.enum(["completed", "failed", "killed"]),
  /** Milliseconds since 1970; 0 when nobody knows. */
  atMs: z.number(),
  message: z.string(),
});

const rank = z.object({
  /** Everything before is on the platform. */
  offset: z.int().min(0),
  /** Where the chunk ends that was begun to be sent: it is sent again as exactly this, so that it is recognised. */
  sending: z.int().min(0).optional(),
  /** How the rank said that it ended. */
  end: end.optional(),
});

const state = z.object({
  schema: z.literal(1),
  /** The run on the platform. */
  runId: z.string(),
  ranks: z.record(z.string(), rank),
  /** Whether its end was told: nothing more is to be done. */
  ended: z.boolean(),
});

/** How far a run's folder was sent. */
export type SyncState = z.infer<typeof state>;
export type RankState = z.infer<typeof rank>;
/** How one rank ended, as it recorded or as was found. */
export type RankEnd = z.infer<typeof end>;

/** The state kept in a run's folder; undefined before the first sync. */
export async function readSyncState(run: LocalRun): Promise<SyncState | undefined> {
  const value = await readState(fileOf(run));
  return value === undefined ? undefined : state.parse(value);
}

/** Keeps the state durably; what follows may count on it. */
export function saveSyncState(run: LocalRun, value: SyncState): Promise<void> {
  return saveState(fileOf(run), value);
}

function fileOf(run: LocalRun): string {
  return join(run.dir, "sync", "state.json");
}
