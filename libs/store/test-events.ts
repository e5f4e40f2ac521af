/** Events as plain as they come, and where a child process finds the test's servers. */
import { create } from "@bufbuild/protobuf";
import { scheduler } from "@trainyard/contracts";
import type { TestDatabase, TestNats } from "@trainyard/testing";
import type { Tx } from "./store.ts";

/** Emits that a node with so many slots joined. */
export function emitJoined(tx: Tx, id: string, version: number, slots = version): Promise<string> {
  return tx.emit({
    schema: scheduler.NodeJoinedSchema,
    project: "default",
    id,
    aggregateVersion: version,
    actor: "test",
    data: create(scheduler.NodeJoinedSchema, { nodeId: id, slots }),
  });
}

/** Emits that a node was lost: another event, and so another subject, of the same aggregate. */
export function emitLost(tx: Tx, id: string, version: number): Promise<string> {
  return tx.emit({
    schema: scheduler.NodeLostSchema,
    project: "default",
    id,
    aggregateVersion: version,
    actor: "test",
    data: create(scheduler.NodeLostSchema, { nodeId: id }),
  });
}

/** Emits that an attempt ended: an event of another entity, told by its job, which is the aggregate. */
export function emitAttemptEnded(tx: Tx, jobId: string, version: number): Promise<string> {
  return tx.emit({
    schema: scheduler.AttemptEndedSchema,
    project: "default",
    id: jobId,
    aggregateVersion: version,
    actor: "test",
    data: create(scheduler.AttemptEndedSchema, { jobId }),
  });
}

/** Emits that a job ended. */
export function emitJobEnded(tx: Tx, jobId: string, version: number): Promise<string> {
  return tx.emit({
    schema: scheduler.JobEndedSchema,
    project: "default",
    id: jobId,
    aggregateVersion: version,
    actor: "test",
    data: create(scheduler.JobEndedSchema, { job: { id: jobId } }),
  });
}

/** The environment of `test-child.ts`. */
export function childEnvironment(
  role: "relay" | "consumer",
  crashAt: string,
  { uri, database }: TestDatabase,
  { server, seed }: TestNats,
): NodeJS.ProcessEnv {
  return {
    PATH: process.env.PATH,
    TRAINYARD_CRASH_AT: crashAt,
    TEST_ROLE: role,
    TEST_MONGODB_URI: uri,
    TEST_DATABASE: database,
    TEST_NATS_URL: server.url,
    TEST_NATS_SEED: seed,
  };
}
