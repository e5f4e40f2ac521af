import { DiscardPolicy, RetentionPolicy, StorageType, type StreamConfig } from "@nats-io/jetstream";
import { eventStreamName } from "@trainyard/contracts";

const day = 24 * 60 * 60 * 1000;
const mib = 1024 * 1024;

/** How long each stream keeps its messages, and how much of them. The inbox rows of a consumer must outlive `events`. */
export const retention = {
  events: { maxAgeMs: 14 * day, maxBytes: 1024 * mib },
  telemetry: { maxAgeMs: 7 * day, maxBytes: 4096 * mib },
  // Acknowledged, and nowhere else while the database is away: never too old.
  metricCalls: { maxAgeMs: 0, maxBytes: 1024 * mib },
  deadLetters: { maxAgeMs: 90 * day, maxBytes: 256 * mib },
  advisories: { maxAgeMs: 14 * day, maxBytes: 64 * mib },
} as const;

/** Messages of one id within this time are stored once. */
const DUPLICATE_WINDOW_MS = 2 * 60 * 1000;

/** Names of the streams that do not belong to one service's events. */
export const streamNames = {
  telemetry: "TELEMETRY",
  metricCalls: "METRIC_CALLS",
  deadLetters: "DEAD_LETTERS",
  advisories: "ADVISORIES",
} as const;

/** A stream as it shall be. */
export interface StreamSpec {
  readonly name: string;
  readonly description: string;
  readonly subjects: readonly string[];
  /** 0: for ever. */
  readonly maxAgeMs: number;
  readonly maxBytes: number;
  /** old: the oldest message makes room. new: a full stream refuses, so that pressure reaches the publisher. */
  readonly whenFull: "old" | "new";
  /** Under which subject the server stores what comes under another; the stream's subjects hold both. */
  readonly transform?: { readonly src: string; readonly dest: string };
}

/** The domain events of one service. */
export function eventStreamSpec(service: string): StreamSpec {
  return {
    name: eventStreamName(service),
    description: `domain events of ${service}`,
    subjects: [`trainyard.*.${service}.>`],
    ...retention.events,
    whenFull: "old",
  };
}

/**
 * Into how many parts the telemetry is divided by run, so that replicas share it. More cost an idle platform more open
 * requests, and fewer share less evenly. It may grow; what is stored under a number that is gone, nobody takes any more.
 */
export const TELEMETRY_PARTITIONS = 16;

/** What agents publish to: project, run, attempt, rank ("all" for a bundle) and kind. */
const published = "telemetry.*.*.*.*.*";

/** What of the telemetry is stored in this partition. */
export function telemetryPartition(number: number): string {
  return `telemetry.${number}.*.*.*.*.*`;
}

/** What of the telemetry is in no partition: it was stored before there were any. */
export const unpartitionedTelemetry = published;

/**
 * Metric and log batches on their way from the agents to tracking. The server puts the number of the run's partition before
 * what an agent's subject says, so agents of any version are served, and none chooses its own.
 */
export function telemetryStreamSpec(): StreamSpec {
  const address = [1, 2, 3, 4, 5].map((place) => `{{wildcard(${place})}}`).join(".");
  return {
    name: streamNames.telemetry,
    description: "metric and log batches of the ranks",
    subjects: [published, "telemetry.*.*.*.*.*.*"],
    transform: { src: published, dest: `telemetry.{{partition(${TELEMETRY_PARTITIONS},2)}}.${address}` },
    ...retention.telemetry,
    whenFull: "new",
  };
}

/** Subject of the points of a call to that run, by the replica that took it; either may be "*". */
export function metricCallSubject(writer: string, runId: string): string {
  return `metric-calls.${writer}.${runId}`;
}

/** Points of calls that were acknowledged, on their way into tracking's database. Tracking is the only one that may touch it. */
export function metricCallStreamSpec(): StreamSpec {
  return {
    name: streamNames.metricCalls,
    description: "points of calls on their way into tracking's database",
    subjects: [metricCallSubject("*", "*")],
    ...retention.metricCalls,
    whenFull: "new",
  };
}

/** Messages that no handler could take. */
export function deadLetterStreamSpec(): StreamSpec {
  return {
    name: streamNames.deadLetters,
    description: "messages that no handler could take",
    subjects: ["dead-letters.*.*.*"],
    ...retention.deadLetters,
    whenFull: "old",
  };
}

/** The server's notices of messages that were delivered too often, kept until the feeder has seen them. */
export function advisoryStreamSpec(): StreamSpec {
  return {
    name: streamNames.advisories,
    description: "notices of messages delivered too often",
    subjects: ["$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.>"],
    ...retention.advisories,
    whenFull: "old",
  };
}

const nanos = (ms: number) => ms * 1_000_000;

/** The server's configuration of a stream. */
export function streamConfig(spec: StreamSpec): Pick<StreamConfig, "name"> & Partial<StreamConfig> {
  return {
    name: spec.name,
    description: spec.description,
    subjects: [...spec.subjects],
    retention: RetentionPolicy.Limits,
    storage: StorageType.File,
    discard: spec.whenFull === "new" ? DiscardPolicy.New : DiscardPolicy.Old,
    max_age: nanos(spec.maxAgeMs),
    max_bytes: spec.maxBytes,
    duplicate_window: nanos(DUPLICATE_WINDOW_MS),
    allow_direct: true,
    num_replicas: 1,
    ...(spec.transform === undefined ? {} : { subject_transform: { ...spec.transform } }),
  };
}
