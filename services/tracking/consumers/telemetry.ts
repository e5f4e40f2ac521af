import { type Bus, consume, type HandlerResult, reject, streamNames } from "@trainyard/bus";
import type { Part } from "@trainyard/service";
import { counter } from "@trainyard/telemetry";
import type { Deps } from "../deps.ts";
import type { LogTrimmer } from "../operations/log-trimmer.ts";
import { PoisonError, telemetryFromProto } from "../wire/telemetry-from-proto.ts";
import { createGroupWriter } from "./group-writer.ts";

/** Batches taken from the stream and not yet stored. */
const CONCURRENCY = 512;
/** Short, since a batch that is being stored extends it: what a killed process had taken comes again this soon. */
const ACK_WAIT_MS = 5_000;
/** Only a batch that the database itself refuses is delivered so often; an outage is waited out. */
const MAX_DELIVER = 50;

/**
 * Stores the ranks' metric points and output from the telemetry stream, each exactly once: a message is acknowledged only
 * after it is committed, and one that comes again finds its range stored. What can never be stored is a dead letter.
 */
export function telemetryConsumer(deps: Deps, bus: Bus, trimmer: LogTrimmer): Part {
  const writer = createGroupWriter(deps);
  deps.signals.settleBy((runId) => writer.settle(runId));
  const stored = counter(
    "tracking",
    "trainyard_telemetry_batches",
    "Telemetry batches taken, by kind and result",
  );
  const consuming = consume(
    bus,
    {
      stream: streamNames.telemetry,
      durable: "tracking-telemetry",
      filters: ["telemetry.>"],
      maxDeliver: MAX_DELIVER,
      ackWaitMs: ACK_WAIT_MS,
      concurrency: CONCURRENCY,
      logger: deps.logger,
    },
    async ({ subject, data }): Promise<HandlerResult> => {
      const kind = ["metrics", "samples"].find((one) => subject.endsWith(`.${one}`)) ?? "logs";
      const result = await take(subject, data);
      stored.add(1, { kind, result: result.kind });
      return result;
    },
  );

  async function take(subject: string, data: Uint8Array): Promise<HandlerResult> {
    try {
      const item = telemetryFromProto(subject, data);
      const result = await writer.store(item);
      if (item.kind === "logs" && result.kind === "done") {
        trimmer.grew(item.source, item.batch.begin + item.batch.data.byteLength);
      }
      return result;
    } catch (error) {
      if (error instanceof PoisonError) return reject(error.message);
      throw error;
    }
  }

  return {
    name: consuming.name,
    start: () => consuming.start(),
    async stop(signal) {
      writer.stop();
      await consuming.stop(signal);
    },
  };
}
