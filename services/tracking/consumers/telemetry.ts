import {
  type Bus,
  type ConsumerSpec,
  type Consuming,
  consume,
  createRoom,
  type Delivery,
  done,
  type HandlerResult,
  reject,
  streamNames,
  TELEMETRY_PARTITIONS,
  telemetryPartition,
  unpartitionedTelemetry,
} from "@trainyard/bus";
import type { Part } from "@trainyard/service";
import { counter } from "@trainyard/telemetry";
import type { Deps } from "../deps.ts";
import type { LogTrimmer } from "../operations/log-trimmer.ts";
import type { TelemetryItem } from "../operations/store-telemetry.ts";
import type { WorkShare } from "../operations/work-share.ts";
import { PoisonError, type TelemetryContent, telemetryFromProto } from "../wire/telemetry-from-proto.ts";
import { createGroupWriter } from "./group-writer.ts";

/** Batches taken from the stream and not yet stored. */
const CONCURRENCY = 512;
/** Short, since a batch that is being stored extends it: what a killed process had taken comes again this soon. */
const ACK_WAIT_MS = 5_000;
/** Only a batch that the database itself refuses is delivered so often; an outage is waited out. */
const MAX_DELIVER = 50;

/** Problems of one message that its dead letter tells. */
const MAX_PROBLEMS = 8;

const durable = "tracking-telemetry";

/** The parts of the telemetry: one for each partition of the runs, and one for what is in none. */
const parts: readonly Pick<ConsumerSpec, "durable" | "filters">[] = [
  { durable, filters: [unpartitionedTelemetry] },
  ...Array.from({ length: TELEMETRY_PARTITIONS }, (_, number) => ({
    durable: `${durable}-${number}`,
    filters: [telemetryPartition(number)],
  })),
];

/**
 * Stores the ranks' metric points and output from the telemetry stream, each exactly once: a message is acknowledged only
 * after it is committed, and one that comes again finds its range stored. What can never be stored is a dead letter. Each
 * replica takes the partitions that are its share.
 */
export function telemetryConsumer(deps: Deps, bus: Bus, trimmer: LogTrimmer, share: WorkShare): Part {
  const writer = createGroupWriter(deps);
  deps.signals.settleBy((runId) => writer.settle(runId));
  const stored = counter(
    "tracking",
    "trainyard_telemetry_batches",
    "Telemetry batches taken, by kind and result",
  );
  const room = createRoom(CONCURRENCY);
  const common = { stream: streamNames.telemetry, maxDeliver: MAX_DELIVER, ackWaitMs: ACK_WAIT_MS };
  const mine = new Map<string, Consuming>();
  /** Given to other replicas; what of them is being stored is still stored here. */
  const leaving = new Set<Promise<void>>();
  let stopped = false;

  function assign(): void {
    if (stopped) return;
    for (const part of parts) {
      const running = mine.get(part.durable);
      if (share.isMine(part.durable) === (running !== undefined)) continue;
      if (running === undefined) begin(part);
      else leave(part.durable, running);
    }
  }

  function begin(part: (typeof parts)[number]): void {
    const spec = { ...common, ...part, room, concurrency: CONCURRENCY, logger: deps.logger };
    const consuming = consume(bus, spec, handle);
    mine.set(part.durable, consuming);
    void consuming.start(); // Resolves at once: it goes on by itself.
  }

  function leave(name: string, consuming: Consuming): void {
    mine.delete(name);
    const left: Promise<void> = consuming.stop().finally(() => leaving.delete(left));
    leaving.add(left);
  }

  async function handle({ subject, data }: Delivery): Promise<HandlerResult> {
    const { items, problems } = contentOf(subject, data);
    const results = await Promise.all(items.map(take));
    const unstored = results.find(({ kind }) => kind !== "done");
    if (unstored !== undefined) return unstored;
    if (problems.length === 0) return done;
    stored.add(problems.length, { kind: "unknown", result: "reject" });
    return reject(problems.slice(0, MAX_PROBLEMS).join("; "));
  }

  async function take(item: TelemetryItem): Promise<HandlerResult> {
    const result = await writer.store(item);
    if (item.kind === "logs" && result.kind === "done") {
      trimmer.grew(item.source, item.batch.begin + item.batch.data.byteLength);
    }
    const kind = item.source.kind === "samples" ? "samples" : item.kind;
    stored.add(1, { kind, result: result.kind });
    return result;
  }

  return {
    name: `consumers ${durable}`,
    async start() {
      share.whenChanged(assign);
    },
    async stop(signal) {
      stopped = true;
      writer.stop();
      await Promise.all([...leaving, ...[...mine.values()].map((consuming) => consuming.stop(signal))]);
    },
  };
}

/** What can be stored of a message; that nothing of it can be read is a problem, too. */
function contentOf(subject: string, data: Uint8Array): TelemetryContent {
  try {
    return telemetryFromProto(subject, data);
  } catch (error) {
    if (error instanceof PoisonError) return { items: [], problems: [error.message] };
    throw error;
  }
}
