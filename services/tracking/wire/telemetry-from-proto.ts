import { type DescMessage, fromBinary, type MessageShape } from "@bufbuild/protobuf";
import { workeragent } from "@trainyard/contracts";
import { isId } from "@trainyard/domain";
import {
  MAX_KEY_BYTES,
  MAX_KEYS_PER_BATCH,
  MAX_LOG_BATCH_BYTES,
  MAX_POINTS_PER_BATCH,
  MAX_RANK,
} from "../domain/limits.ts";
import type { MetricBatch } from "../domain/metric-batch.ts";
import type { TelemetryKind } from "../domain/telemetry-source.ts";
import type { TelemetryItem } from "../operations/store-telemetry.ts";

/** Why a message of the telemetry stream can never be stored. */
export class PoisonError extends Error {
  override readonly name = "PoisonError";
}

/** Longest range of one batch: offsets are stored relative to its begin, in 32 bits. */
const MAX_BATCH_RANGE = 2 ** 32 - 1;
const MAX_ATTEMPT = 1_000_000;

/**
 * The end of the subject, which may name a partition before it: `<project>.<run>.<attempt>.<rank>.<metrics|samples|logs>`,
 * or `<project>.<run>.<attempt>.all.bundle`.
 */
interface Address {
  readonly project: string;
  readonly runId: string;
  readonly attempt: number;
  readonly rank: number;
}

/** What a message holds: what of it can be stored, and what is wrong with the rest. */
export interface TelemetryContent {
  readonly items: readonly TelemetryItem[];
  readonly problems: readonly string[];
}

/** Reads and checks a message of the telemetry stream. Throws PoisonError when nothing of it can be read. */
export function telemetryFromProto(subject: string, data: Uint8Array): TelemetryContent {
  const [project = "", runId = "", attempt, rank, kind] = subject.split(".").slice(-5);
  if (!isId("run", runId)) throw new PoisonError(`${subject} does not name a run`);
  const of = { project, runId, attempt: Number(attempt) };
  check(inRange(of.attempt, 1, MAX_ATTEMPT), `attempt ${attempt} is not from 1 to ${MAX_ATTEMPT}`);
  if (kind === "bundle") return bundleContent(of, decode(workeragent.TelemetryBundleSchema, data));
  const address: Address = { ...of, rank: Number(rank) };
  assertRank(address.rank);
  switch (kind) {
    case "metrics":
      return only(metricItem(address, "records", decode(workeragent.MetricBatchSchema, data)));
    case "samples":
      return only(metricItem(address, "samples", decode(workeragent.MetricBatchSchema, data)));
    case "logs":
      return only(logItem(address, decode(workeragent.LogBatchSchema, data)));
    default:
      throw new PoisonError(`${subject} is neither a bundle, metrics, samples nor logs`);
  }
}

const only = (item: TelemetryItem): TelemetryContent => ({ items: [item], problems: [] });

function bundleContent(of: Omit<Address, "rank">, { parts }: workeragent.TelemetryBundle): TelemetryContent {
  const items: TelemetryItem[] = [];
  const problems: string[] = [];
  for (const [index, part] of parts.entries()) {
    try {
      items.push(partItem(of, part));
    } catch (error) {
      if (!(error instanceof PoisonError)) throw error;
      problems.push(`parts[${index}]: ${error.message}`);
    }
  }
  return { items, problems };
}

function partItem(of: Omit<Address, "rank">, { batch }: workeragent.TelemetryPart): TelemetryItem {
  if (batch.case === undefined) throw new PoisonError("it is neither metrics nor logs");
  const address: Address = { ...of, rank: batch.value.rank };
  assertRank(address.rank);
  return batch.case === "metrics"
    ? metricItem(address, "records", batch.value)
    : logItem(address, batch.value);
}

function assertRank(rank: number): void {
  check(inRange(rank, 0, MAX_RANK), `rank ${rank} is not from 0 to ${MAX_RANK} (MAX_WORLD_SIZE)`);
}

function metricItem(
  address: Address,
  of: "records" | "samples",
  message: workeragent.MetricBatch,
): TelemetryItem {
  checkAddress(address, message);
  const count = message.offsets.length;
  const { keys, keyIndex, timesMs, values } = message;
  check(
    count <= MAX_POINTS_PER_BATCH,
    `${count} points, the limit is ${MAX_POINTS_PER_BATCH} (MAX_POINTS_PER_BATCH)`,
  );
  check(
    keys.length <= MAX_KEYS_PER_BATCH,
    `${keys.length} keys, the limit is ${MAX_KEYS_PER_BATCH} (MAX_KEYS_PER_BATCH)`,
  );
  for (const key of keys) {
    check(
      key !== "" && Buffer.byteLength(key) <= MAX_KEY_BYTES,
      `a key is not of 1 to ${MAX_KEY_BYTES} bytes (MAX_KEY_BYTES)`,
    );
  }
  const columns = [keyIndex, message.steps, timesMs, values];
  check(
    columns.every(({ length }) => length === count),
    "its columns differ in length",
  );
  check(
    keyIndex.every((index) => index < keys.length),
    "a point refers to a key that is not there",
  );
  const begin = Number(message.beginOffset);
  const end = Number(message.endOffset);
  checkRange(begin, end);
  const steps = message.steps.map(Number);
  check(steps.every(Number.isSafeInteger), "a step is beyond 2^53");
  const offsets = message.offsets.map(Number);
  let before = begin;
  for (const offset of offsets) {
    check(offset >= before && offset < end, "its offsets are not ascending within its range");
    before = offset;
  }
  const batch: MetricBatch = {
    begin,
    end,
    keys,
    keyIndex: Uint16Array.from(keyIndex),
    steps: Float64Array.from(steps),
    timesMs: Float64Array.from(timesMs),
    values: Float64Array.from(values),
    offsets: Float64Array.from(offsets),
  };
  return { kind: "metrics", project: address.project, source: sourceOf(address, of), batch };
}

function logItem(address: Address, message: workeragent.LogBatch): TelemetryItem {
  checkAddress(address, message);
  const { data, stream, observedMs } = message;
  const limit = `${data.byteLength} bytes, the limit is ${MAX_LOG_BATCH_BYTES} (MAX_LOG_BATCH_BYTES)`;
  check(data.byteLength <= MAX_LOG_BATCH_BYTES, limit);
  const begin = Number(message.beginOffset);
  const leftOutBytes = Number(message.leftOutBytes);
  check(leftOutBytes >= 0, "it leaves out less than nothing");
  checkRange(begin, begin + data.byteLength + leftOutBytes);
  const { STDOUT, STDERR } = workeragent.LogStream;
  check(
    stream === STDOUT || stream === STDERR,
    `stream ${stream} is neither standard output nor standard error`,
  );
  const kind = stream === STDOUT ? "stdout" : "stderr";
  const batch = { begin, data, observedMs, leftOutBytes };
  return { kind: "logs", project: address.project, source: sourceOf(address, kind), batch };
}

function sourceOf({ runId, attempt, rank }: Address, kind: TelemetryKind) {
  return { runId, attempt, rank, kind };
}

/** Who may publish is decided by the subject, so what the message says of itself must agree. */
function checkAddress(address: Address, message: workeragent.MetricBatch | workeragent.LogBatch): void {
  const { runId, attempt, rank } = message;
  const same = runId === address.runId && attempt === address.attempt && rank === address.rank;
  check(same, `it says ${runId}/${attempt}/${rank}, its subject says otherwise`);
}

function checkRange(begin: number, end: number): void {
  check(
    inRange(begin, 0, Number.MAX_SAFE_INTEGER) && Number.isSafeInteger(end),
    "its offsets are beyond 2^53",
  );
  check(
    end > begin && end - begin <= MAX_BATCH_RANGE,
    `its range [${begin}, ${end}) is empty or longer than 4 GiB`,
  );
}

function decode<S extends DescMessage>(schema: S, data: Uint8Array): MessageShape<S> {
  try {
    return fromBinary(schema, data);
  } catch (cause) {
    throw new PoisonError(`not a ${schema.typeName}`, { cause });
  }
}

function inRange(value: number, min: number, max: number): boolean {
  return Number.isSafeInteger(value) && value >= min && value <= max;
}

function check(condition: boolean, problem: string): asserts condition {
  if (!condition) throw new PoisonError(problem);
}
