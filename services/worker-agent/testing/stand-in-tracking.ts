import { create, fromBinary } from "@bufbuild/protobuf";
import { type Bus, consume, done, streamNames } from "@trainyard/bus";
import { tracking, workeragent } from "@trainyard/contracts";
import { DomainError } from "@trainyard/domain";
import {
  createHealth,
  createVerifier,
  methodPath,
  type Part,
  rpcServer,
  toConnectError,
} from "@trainyard/service";
import { testLogger } from "@trainyard/testing";

/** One range as it came over the stream, before anything is trimmed. */
export interface Arrival {
  readonly key: string;
  readonly begin: number;
  readonly end: number;
}

interface StoredPoint {
  readonly key: string;
  readonly value: number;
  readonly step: bigint;
  readonly offset: number;
}

/**
 * What the agent needs of the tracking service, in memory, behind the real RPC server and fed by a real consumer of the
 * telemetry stream. It places everything by offset and trims what overlaps, as the contract says. The agent is tested
 * with it so that its own tests can refuse, fence and be away on command; that the real service and the agent fit is
 * shown by the end-to-end tests.
 */
export class StandInTracking {
  readonly arrivals: Arrival[] = [];
  readonly bundles: workeragent.TelemetryBundle[] = [];
  readonly parts: tracking.ReportCheckpointPartRequest[] = [];
  readonly artifacts: tracking.LogArtifactRequest[] = [];
  readonly models: tracking.LogModelRequest[] = [];
  readonly recoveries: tracking.ReportRecoveryRequest[] = [];
  readonly samples: workeragent.MetricBatch[] = [];
  readonly facts: tracking.LogRunFactsRequest[] = [];
  /** Attempts up to this number are fenced. */
  fencedUpTo = 0;
  readonly #options: { readonly bus: Bus; readonly port: number; readonly jwksFile: string };
  readonly #ends = new Map<string, number>();
  readonly #points = new Map<string, StoredPoint[]>();
  readonly #text = new Map<string, Buffer[]>();
  readonly #later: (() => boolean)[] = [];
  #parts: Part[] = [];

  constructor(options: { readonly bus: Bus; readonly port: number; readonly jwksFile: string }) {
    this.#options = options;
  }

  async start(): Promise<void> {
    const { bus, port, jwksFile } = this.#options;
    const logger = testLogger("tracking");
    const access = Object.fromEntries(
      tracking.TrackingService.methods.map((method) => [methodPath(method), { kinds: ["agent"] as const }]),
    );
    const server = rpcServer({
      name: "tracking",
      host: "127.0.0.1",
      port,
      access,
      verifier: await createVerifier(jwksFile),
      health: createHealth(),
      logger,
      routes: (router) => void router.service(tracking.TrackingService, this.#handlers()),
    });
    const consumer = consume(
      bus,
      {
        stream: streamNames.telemetry,
        durable: "tracking-telemetry",
        filters: ["telemetry.>"],
        maxDeliver: 10,
        ackWaitMs: 5_000,
        concurrency: 1,
        logger,
      },
      async ({ subject, data }) => {
        this.#take(subject, data);
        return done;
      },
    );
    this.#parts = [
      server,
      { name: "consumer", start: () => consumer.start(), stop: (signal) => consumer.stop(signal) },
    ];
    for (const part of this.#parts) await part.start();
  }

  async stop(): Promise<void> {
    for (const part of this.#parts.reverse()) await part.stop(AbortSignal.timeout(3_000));
    this.#parts = [];
  }

  /** What is stored of a rank's output. */
  text(runId: string, attempt: number, rank: number, stream: "stdout" | "stderr"): string {
    return Buffer.concat(this.#text.get(`${runId}.${attempt}.${rank}.${stream}`) ?? []).toString("utf8");
  }

  /** The stored points of a rank that its script has logged, in the order of their offsets; the SDK adds some of its own. */
  points(runId: string, attempt: number, rank: number): readonly StoredPoint[] {
    const all = this.#points.get(`${runId}.${attempt}.${rank}`) ?? [];
    return all.filter(({ key }) => !key.startsWith("trainyard/"));
  }

  #handlers() {
    const guarded =
      <T extends { readonly attempt: number }, R>(into: T[], answer: R) =>
      (request: T) => {
        if (request.attempt <= this.fencedUpTo) {
          throw toConnectError(new DomainError("aborted", "ATTEMPT_FENCED", "a newer attempt is open"));
        }
        into.push(request);
        return answer;
      };
    return {
      getTelemetryOffsets: ({ runId, attempt }: tracking.GetTelemetryOffsetsRequest) =>
        this.#offsets(runId, attempt),
      reportCheckpointPart: guarded(this.parts, create(tracking.ReportCheckpointPartResponseSchema)),
      reportRecovery: guarded(this.recoveries, create(tracking.ReportRecoveryResponseSchema)),
      logRunFacts: guarded(this.facts, create(tracking.LogRunFactsResponseSchema)),
      logArtifact: guarded(this.artifacts, create(tracking.LogArtifactResponseSchema)),
      logModel: guarded(this.models, create(tracking.LogModelResponseSchema)),
    };
  }

  #offsets(runId: string, attempt: number) {
    const ranks = new Map<number, { rank: number; records: bigint; stdout: bigint; stderr: bigint }>();
    for (const [key, end] of this.#ends) {
      const [run, number, rankText, stream] = key.split(".");
      if (run !== runId || Number(number) !== attempt) continue;
      const rank = Number(rankText);
      const entry = ranks.get(rank) ?? { rank, records: 0n, stdout: 0n, stderr: 0n };
      ranks.set(rank, { ...entry, [stream as "records" | "stdout" | "stderr"]: BigInt(end) }); // Made in #take.
    }
    return { ranks: [...ranks.values()] };
  }

  #take(subject: string, data: Uint8Array): void {
    if (subject.endsWith(".samples")) {
      this.samples.push(fromBinary(workeragent.MetricBatchSchema, data));
      return;
    }
    const bundle = fromBinary(workeragent.TelemetryBundleSchema, data);
    this.bundles.push(bundle);
    for (const { batch } of bundle.parts) {
      if (batch.case === "metrics") this.#takePoints(batch.value);
      if (batch.case === "logs") this.#takeOutput(batch.value);
    }
  }

  #takePoints(batch: workeragent.MetricBatch): void {
    const key = `${batch.runId}.${batch.attempt}.${batch.rank}`;
    const range = { key: `${key}.records`, begin: Number(batch.beginOffset), end: Number(batch.endOffset) };
    this.#place(range, (stored) => this.#addPoints(key, batch, stored));
  }

  #takeOutput(batch: workeragent.LogBatch): void {
    const stream = batch.stream === workeragent.LogStream.STDOUT ? "stdout" : "stderr";
    const key = `${batch.runId}.${batch.attempt}.${batch.rank}.${stream}`;
    const begin = Number(batch.beginOffset);
    const end = begin + batch.data.length + Number(batch.leftOutBytes);
    this.#place({ key, begin, end }, (stored) => {
      this.#text.set(key, [...(this.#text.get(key) ?? []), Buffer.from(batch.data).subarray(stored - begin)]);
    });
  }

  /** Stores a range from where the earlier ones end; one that leaves a gap waits for what is missing. */
  #place(range: Arrival, store: (storedUpTo: number) => void): void {
    this.arrivals.push(range);
    this.#later.push(() => {
      const stored = this.#ends.get(range.key) ?? 0;
      if (range.begin > stored) return false;
      if (range.end > stored) {
        store(stored);
        this.#ends.set(range.key, range.end);
      }
      return true;
    });
    while (this.#later.some((attempt, index) => attempt() && this.#later.splice(index, 1).length > 0));
  }

  #addPoints(key: string, batch: workeragent.MetricBatch, storedUpTo: number): void {
    const points = batch.offsets.map((offset, index) => ({
      key: batch.keys[batch.keyIndex[index] ?? -1] ?? "?",
      value: batch.values[index] ?? Number.NaN,
      step: batch.steps[index] ?? -1n,
      offset: Number(offset),
    }));
    this.#points.set(key, [
      ...(this.#points.get(key) ?? []),
      ...points.filter(({ offset }) => offset >= storedUpTo),
    ]);
  }
}
