import { mkdir, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { BlobStore } from "@trainyard/blob";
import { crashPoint } from "@trainyard/failpoint";
import { type Logger, recordSpan, withSpan } from "@trainyard/telemetry";
import { type Assignment, type AttemptKey, attemptKey } from "../domain/assignment.ts";
import {
  type AttemptHappening,
  type AttemptPhase,
  isFinal,
  phaseAfter,
  phaseFromSpool,
} from "../domain/attempt-phase.ts";
import type { NonFinite } from "../domain/non-finite.ts";
import type { NodeForRanks } from "../domain/rank-environment.ts";
import type { RankUsage } from "../domain/rank-usage.ts";
import type { BusLink } from "../heartbeat/bus-link.ts";
import { secretEnv } from "../prepare/place-secrets.ts";
import { type PrepareDeps, prepareAttempt } from "../prepare/prepare-attempt.ts";
import { StartError } from "../prepare/start-error.ts";
import { type CapturedStack, captureStack } from "../stacks/capture-stack.ts";
import type { TrackingClient } from "../telemetry/act-on-record.ts";
import { AttemptTelemetry } from "../telemetry/attempt-telemetry.ts";
import type { TelemetryPublisher } from "../telemetry/publisher.ts";
import type { AttemptStatus, RankStatus } from "./attempt-status.ts";
import { bury } from "./bury.ts";
import { writeDurably } from "./durable-file.ts";
import { exchangeHandover } from "./exchange-handover.ts";
import { Gang, type StopOrder } from "./gang.ts";
import { exchangeRendezvous } from "./rendezvous.ts";
import { shimSpec } from "./shim-spec.ts";
import { ASSIGNMENT_FILE, Spool, type StartFailure, type StopReason } from "./spool.ts";
import type { ShimCommand, WarmStarter } from "./start-shim.ts";

/** The interpreter for a job's ranks, and where the SDK is for it. */
export interface MadePython {
  readonly interpreter: string;
  readonly sdkPath: string;
}

/** Makes the Python that the assignment's job brings, with its progress in the job's log. Throws `StartError`. */
export type MakePython = (assignment: Assignment, spool: Spool, signal: AbortSignal) => Promise<MadePython>;

/** How often the ranks' files are looked at. */
const LOOK_INTERVAL_MS = 50;
/** Between tries of a step that the file system refused. */
const INSIST_INTERVAL_MS = 1_000;
/** How long the log of what failed may take to be stored before the failure is told. */
const SHIP_BEFORE_FAILING_MS = 5_000;
const SIGTERM = 15;
const TRACER = "worker-agent";

export interface AttemptDeps {
  readonly prepare: PrepareDeps;
  readonly link: BusLink;
  readonly publisher: TelemetryPublisher;
  readonly tracking: TrackingClient;
  readonly blobs: BlobStore;
  readonly shim: ShimCommand;
  /** Makes the Python that a job brings. */
  readonly python: MakePython;
  readonly launcher: WarmStarter;
  readonly node: Omit<NodeForRanks, "attemptDir">;
  readonly logger: Logger;
  /** What the rank with this process and these slots uses now. */
  readonly usage: (pid: number, slots: readonly number[]) => RankUsage | undefined;
  /** Called whenever the status has changed. */
  readonly onChange: () => void;
}

/**
 * One attempt on this node, from its preparation to the moment when everything its ranks recorded is stored. What it
 * knows is in its spool: an attempt made from the directory of a killed agent goes on where that one was.
 */
export class Attempt {
  readonly key: AttemptKey;
  readonly #deps: AttemptDeps;
  readonly #assignment: Assignment;
  readonly #message: Uint8Array;
  readonly #spool: Spool;
  readonly #gang: Gang;
  readonly #telemetry: AttemptTelemetry;
  readonly #logger: Logger;
  readonly #preparing = new AbortController();
  readonly #leaving = new AbortController();
  #phase: AttemptPhase = "preparing";
  #failure: StartFailure | undefined;
  #stop: StopReason | undefined;
  /** What an earlier agent found, of an attempt that is over. */
  #halted: NonFinite | undefined;
  #askedStep: number | undefined;
  #startingAtMs: number | undefined;
  /** Set when it is known that no rank will run, before everybody is told: what is in the log is shipped first. */
  #neverStarts = false;
  #running: Promise<void> = Promise.resolve();

  /** `message` is the assignment as received, kept for a restarted agent. */
  constructor(deps: AttemptDeps, assignment: Assignment, message: Uint8Array) {
    this.key = attemptKey(assignment);
    this.#deps = deps;
    this.#assignment = assignment;
    this.#message = message;
    this.#logger = deps.logger.child({ jobId: assignment.jobId, attempt: assignment.attempt });
    this.#spool = new Spool(join(deps.prepare.attemptsDir, this.key));
    this.#gang = new Gang({
      spool: this.#spool,
      ranks: assignment.ranks.map(({ rank }) => rank),
      graceMs: assignment.graceMs,
      command: deps.shim,
      launcher: deps.launcher,
      start: assignment.work.start,
    });
    this.#telemetry = new AttemptTelemetry({
      assignment,
      spool: this.#spool,
      publisher: deps.publisher,
      tracking: deps.tracking,
      blobs: deps.blobs,
      source: { ended: () => this.#neverStarts || !this.mayHaveRanks, signal: this.#leaving.signal },
      onFenced: () => this.requestStop("fenced"),
      onHalted: () => {
        this.requestStop("non_finite");
        deps.onChange();
      },
      onChange: deps.onChange,
      logger: this.#logger,
    });
  }

  get phase(): AttemptPhase {
    return this.#phase;
  }

  /** Whether processes of it may be alive. */
  get mayHaveRanks(): boolean {
    return !isFinal(this.#phase) && this.#phase !== "flushing";
  }

  /** Begins, or goes on where the spool stands. */
  start(): void {
    this.#running = this.#live().catch((error: unknown) => {
      if (!this.#leaving.signal.aborted)
        this.#logger.error({ err: error }, "the attempt is stuck until the agent restarts");
    });
  }

  /**
   * Has the ranks ended, with their grace. Repeating it changes nothing; the first reason stays, but that the gang has
   * failed, which leaves its survivors the time to save, gives way to any other.
   */
  requestStop(reason: StopReason): void {
    if (isFinal(this.#phase) || this.#stop === reason) return;
    if (this.#stop !== undefined && this.#stop !== "gang_failed") return;
    this.#stop = reason;
    this.#logger.info({ reason }, "stopping the ranks");
    this.#preparing.abort(new Error("the attempt was stopped"));
  }

  /** Asks the ranks for a checkpoint at this step, which they have not reached yet. Repeating it changes nothing. */
  askCheckpoint(step: number): void {
    if (step <= 0 || step === this.#askedStep || !this.mayHaveRanks || !this.#spool.exists) return;
    this.#askedStep = step;
    this.#spool.askCheckpoint(step).then(
      () => this.#logger.info({ step }, "the ranks are asked for a checkpoint"),
      (error: unknown) => {
        this.#askedStep = undefined;
        this.#logger.warn({ err: error }, "the ranks could not be asked for a checkpoint yet");
      },
    );
  }

  /** Where its ranks on this node are. */
  async stacks(logAs: string): Promise<readonly (CapturedStack & { readonly rank: number })[]> {
    const ranks = this.#assignment.ranks.map(({ rank }) => rank);
    return await Promise.all(
      ranks.map(async (rank) => {
        const running = this.#gang.exits.has(rank) ? undefined : this.#gang.starts.get(rank);
        return { rank, ...(await captureStack(this.#spool, rank, running, logAs)) };
      }),
    );
  }

  /** Leaves everything as it is: the ranks run on, and the next agent goes on with them. */
  async leave(): Promise<void> {
    this.#leaving.abort(new Error("the agent is stopping"));
    this.#preparing.abort(new Error("the agent is stopping"));
    await this.#running;
  }

  /** Deletes what is left of it. Renamed first, so that a crash in between leaves nothing that looks like an attempt. */
  async forget(): Promise<void> {
    await this.leave();
    const rubbish = join(dirname(this.#spool.dir), `.forgotten-${this.key}`);
    if (this.#spool.exists) await rename(this.#spool.dir, rubbish);
    await rm(rubbish, { recursive: true, force: true });
  }

  status(): AttemptStatus {
    const { project, jobId, runId, attempt, ranks } = this.#assignment;
    const nonFinite = this.#telemetry.halted ?? this.#halted;
    return {
      key: this.key,
      project,
      jobId,
      runId,
      attempt,
      phase: this.#phase,
      ranks: ranks.map((one) => this.#rankStatus(one)),
      ...(this.#failure === undefined ? {} : { failure: this.#failure }),
      ...(nonFinite === undefined ? {} : { nonFinite }),
      ...(this.#gang.shimStart === undefined ? {} : { start: this.#gang.shimStart }),
    };
  }

  async #live(): Promise<void> {
    const resumed = this.#spool.exists;
    if (resumed) await this.#resume();
    else await this.#prepare();
    if (isFinal(this.#phase)) return;
    const { signal } = this.#leaving;
    const meeting = new AbortController();
    const met = exchangeRendezvous(
      { link: this.#deps.link, logger: this.#logger },
      this.#assignment,
      this.#spool,
      AbortSignal.any([signal, meeting.signal]),
    ).catch(() => undefined);
    const handedOver = exchangeHandover(
      { link: this.#deps.link, logger: this.#logger },
      this.#assignment,
      this.#spool,
      { over: () => !this.mayHaveRanks, signal },
    ).catch(() => undefined);
    const shipped = this.#telemetry.run(resumed, () => crashPoint("agent.end.flushed"));
    // Handled below; an agent that stops rejects it while the ranks are still being watched.
    shipped.catch(() => undefined);
    if (this.#phase === "preparing") await this.#makePython(shipped);
    await this.#watchRanks();
    meeting.abort(new Error("the ranks have ended"));
    await met;
    await handedOver;
    if (isFinal(this.#phase)) return;
    await shipped;
    const { halted } = this.#telemetry;
    if (halted !== undefined) await this.#insist(() => this.#spool.markHalted(halted));
    await this.#insist(() => this.#spool.markFinalized(Date.now()));
    this.#happened("confirmed");
  }

  async #resume(): Promise<void> {
    const spool = this.#spool;
    this.#failure = await spool.failure();
    this.#halted = await spool.halted();
    this.#stop = await spool.stopReason();
    await this.#gang.readRecords();
    this.#phase = phaseFromSpool({
      prepared: spool.prepared,
      failed: this.#failure !== undefined,
      stopAsked: spool.stopAsked,
      ranksStarted: this.#gang.allStarted,
      rankFailed: this.#gang.anyFailed,
      ranksEnded: spool.done,
      confirmed: spool.finalized,
    });
    this.#logger.info({ phase: this.#phase }, "going on with an attempt of an earlier agent");
    this.#deps.onChange();
  }

  async #prepare(): Promise<void> {
    const { prepare, node, shim } = this.#deps;
    const ownPython = this.#assignment.work.python !== undefined;
    const nodeForRanks = { ...node, attemptDir: this.#spool.dir };
    const spec = ownPython
      ? undefined
      : (secrets: Readonly<Record<string, string>>) =>
          shimSpec(this.#assignment, nodeForRanks, shim.python, secrets);
    const parent = this.#assignment.traceparent;
    try {
      await withSpan(TRACER, "prepare attempt", { parent }, () =>
        prepareAttempt(
          prepare,
          this.#assignment,
          { assignment: this.#message, spec },
          this.#preparing.signal,
        ),
      );
      if (!ownPython) this.#readyToStart();
    } catch (error) {
      await this.#couldNotPrepare(error);
    }
  }

  #readyToStart(): void {
    this.#startingAtMs = Date.now();
    this.#happened("prepared");
  }

  async #couldNotPrepare(error: unknown): Promise<void> {
    this.#leaving.signal.throwIfAborted();
    if (error instanceof StartError) await this.#fail(failureOf(error));
    else if (this.#stop === undefined) throw error;
    else await this.#insist(() => this.#recordAsStopped());
  }

  /**
   * Has the job's own Python made, with everything else in place and its log already shipped, and then writes the shim's
   * input. A restarted agent goes on here.
   */
  async #makePython(shipped: Promise<void>): Promise<void> {
    const { python, node } = this.#deps;
    const parent = this.#assignment.traceparent;
    try {
      const made = await withSpan(TRACER, "make Python environment", { parent }, () =>
        python(this.#assignment, this.#spool, this.#preparing.signal),
      );
      crashPoint("agent.python.made");
      const nodeForRanks = { ...node, sdkPath: made.sdkPath, attemptDir: this.#spool.dir };
      const secrets = await secretEnv(this.#spool.dir);
      const spec = shimSpec(this.#assignment, nodeForRanks, made.interpreter, secrets);
      await this.#insist(() => writeDurably(this.#spool.path("spec.json"), spec));
      this.#readyToStart();
    } catch (error) {
      this.#neverStarts = true;
      const timeout = delay(SHIP_BEFORE_FAILING_MS, undefined, { ref: false });
      await Promise.race([shipped.catch(() => undefined), timeout]);
      await this.#couldNotPrepare(error);
    }
  }

  /** Nothing was started: the directory is made only to say so, also to a restarted agent. */
  async #recordAsStopped(): Promise<void> {
    await mkdir(this.#spool.dir, { recursive: true, mode: 0o700 });
    await this.#spool.markStop(this.#stop ?? "requested", Date.now());
    const ranks = this.#assignment.ranks.map(({ rank }) => rank);
    await bury(this.#spool, ranks, { signal: SIGTERM, reason: "stopped", now: Date.now });
    await writeDurably(this.#spool.path(ASSIGNMENT_FILE), this.#message);
    this.#happened("stop_asked");
  }

  async #fail(failure: StartFailure): Promise<void> {
    this.#logger.warn({ ...failure }, "the attempt could not start");
    this.#failure = failure;
    try {
      await mkdir(this.#spool.dir, { recursive: true, mode: 0o700 });
      await this.#spool.markFailed(failure);
      if (!this.#spool.exists) await writeDurably(this.#spool.path(ASSIGNMENT_FILE), this.#message);
    } catch (error) {
      // On a full disk the failure is reported from memory; a restarted agent would try once more.
      this.#logger.error({ err: error }, "the failure could not be written down");
    }
    this.#happened("could_not_start");
  }

  async #watchRanks(): Promise<void> {
    while (this.mayHaveRanks) {
      await this.#insist(() => this.#lookAtRanks());
      if (this.mayHaveRanks) await delay(LOOK_INTERVAL_MS, undefined, { signal: this.#leaving.signal });
    }
  }

  async #lookAtRanks(): Promise<void> {
    if (this.#stop !== undefined && this.#phase !== "stopping") {
      await this.#spool.markStop(this.#stop, Date.now());
      this.#happened("stop_asked");
    }
    const before = this.#gang.starts.size + this.#gang.exits.size;
    const look = await this.#gang.look(stopOrder(this.#stop));
    if (look.kind === "could_not_start") {
      return this.#fail({ reason: "START_FAILED", message: look.message });
    }
    if (this.#gang.allStarted && this.#phase === "starting") this.#ranksStarted();
    if (this.#gang.anyFailed) this.#happened("rank_failed");
    if (look.kind === "ended") this.#happened("ranks_ended");
    if (this.#gang.starts.size + this.#gang.exits.size !== before) this.#deps.onChange();
  }

  /** Does a step until it succeeds: a disk that is full for a while must not leave ranks unwatched. */
  async #insist(work: () => Promise<void>): Promise<void> {
    for (let told = false; ; told = true) {
      this.#leaving.signal.throwIfAborted();
      try {
        return await work();
      } catch (error) {
        this.#leaving.signal.throwIfAborted();
        if (!told) this.#logger.error({ err: error }, "a step of the attempt failed; trying on");
        await delay(INSIST_INTERVAL_MS, undefined, { signal: this.#leaving.signal });
      }
    }
  }

  /** A span for each rank, from the moment when all was prepared. */
  #ranksStarted(): void {
    this.#happened("ranks_started");
    const how = this.#gang.shimStart;
    if (how !== undefined) this.#logger.info({ ...how }, "the ranks have started");
    for (const [rank, start] of this.#gang.starts) {
      recordSpan("rank start", {
        tracerName: TRACER,
        parent: this.#assignment.traceparent,
        startTime: Math.min(this.#startingAtMs ?? start.atMs, start.atMs),
        endTime: start.atMs,
        attributes: {
          "trainyard.rank": rank,
          "trainyard.attempt": this.#assignment.attempt,
          ...(how === undefined ? {} : { "trainyard.start": how.start }),
          ...(how?.start === "cold" ? { "trainyard.cold_reason": how.reason } : {}),
        },
      });
    }
  }

  #happened(happening: AttemptHappening): void {
    const next = phaseAfter(this.#phase, happening);
    if (next === this.#phase) return;
    this.#logger.info({ from: this.#phase, to: next }, "attempt");
    this.#phase = next;
    this.#deps.onChange();
  }

  #rankStatus({ rank, slots }: Assignment["ranks"][number]): RankStatus {
    const start = this.#gang.starts.get(rank);
    const exit = this.#gang.exits.get(rank);
    const progress = this.#telemetry.progress(rank);
    const timing = progress?.timing(performance.now());
    const usage = start === undefined || exit !== undefined ? undefined : this.#deps.usage(start.pid, slots);
    return {
      rank,
      pid: start?.pid ?? 0,
      ...(start === undefined ? {} : { startedAtMs: start.atMs }),
      ...(progress?.firstStepAtMs === undefined ? {} : { firstStepAtMs: progress.firstStepAtMs }),
      lastStep: progress?.lastStep ?? -1,
      phase: progress?.phase ?? "",
      ...(progress?.checkpointStep === undefined ? {} : { checkpointStep: progress.checkpointStep }),
      ...(usage === undefined ? {} : { usage }),
      ...(timing === undefined || exit !== undefined ? {} : { timing }),
      ...(exit === undefined ? {} : { exit }),
    };
  }
}

function stopOrder(reason: StopReason | undefined): StopOrder | undefined {
  if (reason === undefined) return undefined;
  return reason === "gang_failed" ? "hand_over" : "stop";
}

function failureOf({ reason, message, tail }: StartError): StartFailure {
  return tail === "" ? { reason, message } : { reason, message, tail };
}
