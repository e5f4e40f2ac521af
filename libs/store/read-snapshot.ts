import { type MongoClient, MongoServerError } from "mongodb";
import type { Snapshot } from "./store.ts";

/** A collection or index that was made a moment ago has no earlier state to be read. */
const SNAPSHOT_UNAVAILABLE = 246;
const SNAPSHOT_TOO_OLD = 239;
const MAX_TRIES = 10;
const RETRY_MS = 50;

/** Reads at one moment: what was acknowledged before is in it, and nothing that is committed later. */
export async function readSnapshot<T>(
  client: MongoClient,
  fn: (snapshot: Snapshot) => Promise<T>,
): Promise<T> {
  for (let tries = 1; ; tries++) {
    const session = client.startSession({ snapshot: true });
    try {
      return await fn({ session, readConcern: { level: "snapshot" } });
    } catch (error) {
      if (!isGone(error) || tries >= MAX_TRIES) throw error;
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    } finally {
      await session.endSession();
    }
  }
}

function isGone(error: unknown): boolean {
  return (
    error instanceof MongoServerError &&
    (error.code === SNAPSHOT_UNAVAILABLE || error.code === SNAPSHOT_TOO_OLD)
  );
}
