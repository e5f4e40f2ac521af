import { rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { crashPoint } from "@trainyard/failpoint";
import type { Logger } from "@trainyard/telemetry";
import { type Assignment, type AttemptKey, attemptKey } from "../domain/assignment.ts";
import {
  type AttemptHappening,
  type AttemptPhase,
  isFinal,
  phaseAfter,
  phaseFromSpool,
} from "../domain/attempt-phase.ts";
import type { NonFinite } from "../domain/non-finite.ts";
import { StartError } from "../prepare/start-error.ts";
import { type CapturedStack, captureStack } from "../stacks/capture-stack.ts";
import { AttemptTelemetry } from "../telemetry/attempt-telemetry.ts";
import type { AttemptDeps } from "./attempt-deps.ts";
import type { AttemptStatus } from "./attempt-status.ts";
import { CheckpointRequest } from "./checkpoint-request.ts";
import { writeDurably } from "./durable-file.ts";
import { exchangeHandover } from "./exchange-handover.ts";
import { Gang, type StopOrder } from "./gang.ts";
import { insist } from "./insist.ts";
import { bringsPython, fetchParts, specWithOwnPython } from "./make-ready.ts";
import { failureOf, recordFailed, recordStopped } from "./never-ran.ts";
import { rankStatus } from "./rank-status.ts";
import { exchangeRendezvous } from "./rendezvous.ts";
import { Spool, type StartFailure, type StopReason } from "./spool.ts";
import { spoolFacts } from "./spool-facts.ts";
import { recordStarts } from "./start-spans.ts";

/** How often the ranks' files are looked at. */
const LOOK_INTERVAL_MS = 50;
/** How long the log of what failed may take to be stored before the failure is told. */
const SHIP_BEFORE_FAILING_MS = 5_000;

/**
 * One attempt on this node, from its preparation to the moment when everything its ranks recorded is stored. What it
 * knows is in its spool: an attempt made from the directory of a killed agent goes on where that one was.
 */
export class Attempt {
  readonly key: AttemptKey;
  readonly #deps: AttemptDeps;
  readonly #assignment: Assignment;
  readonly #message: Uint8Array;
  /** Those on this node. */
  readonly #ranks: readonly number[];
  readonly #spool: Spool;
  readonly #gang: Gang;
  readonly #telemetry: AttemptTelemetry;
  readonly #checkpointRequest: CheckpointRequest;
  readonly #logger: Logger;
  readonly #preparing = new AbortController();
  readonly #leaving = new AbortController();
  #phase: AttemptPhase = "preparing";
  #failure: StartFailure | undefined;
  #stop: StopReason | undefined;
  /** What an earlier agent found, of an attempt that is over. */
  #halted: NonFinite | undefined;
  #startingAtMs: number | undefined;
  #handingOver = false;
  #collectiveTimedOut = false;
  /** Set when it is known that no rank will run, before everybody is told: what is in the log is shipped first. */
  #neverStarts = false;
  #running: Promise<void> = Promise.resolve();

  /** `message` is the assignment as received, kept for a restarted agent. */
  constructor(deps: AttemptDeps, assignment: Assignment, message: Uint8Array) {
    this.key = attemptKey(assignment);
    this.#deps = deps;
    this.#assignment = assignment;
    this.#message = message;
    this.#ranks = assignment.ranks.map(({ rank }) => rank);
    this.#logger = deps.logger.child({ jobId: assignment.jobId, attempt: assignment.attempt });
    this.#spool = new Spool(join(deps.prepare.attemptsDir, this.key));
    this.#checkpointRequest = new CheckpointRequest(this.#spool, this.#logger);
    this.#gang = new Gang({
      spool: this.#spool,
      ranks: this.#ranks,
      graceMs: assignment.graceMs,
      command: deps.shim,
      launcher: deps.launcher,
      start: assignment.work.start,
    });
    this.#telemetry = new AttemptTelemetry({
      assignment,
      spool: this.#spool,
      link: deps.link,
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
    if (this.mayHaveRanks) this.#checkpointRequest.ask(step);
  }

  /** Where its ranks on this node are. */
  async stacks(logAs: string): Promise<readonly (CapturedStack & { readonly rank: number })[]> {
    return await Promise.all(
      this.#ranks.map(async (rank) => {
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
      handingOver: this.#handingOver,
      collectiveTimedOut: this.#collectiveTimedOut,
      ranks: ranks.map((one) =>
        rankStatus(one, {
          start: this.#gang.starts.get(one.rank),
          exit: this.#gang.exits.get(one.rank),
          progress: this.#telemetry.progress(one.rank),
          usage: this.#deps.usage,
          nowMs: performance.now(),
        }),
      ),
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
      { over: () => !this.mayHaveRanks, onBegun: () => this.#handOverBegan(), signal },
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

  #handOverBegan(): void {
    this.#handingOver = true;
    this.#logger.info("a rank has failed; its survivors save with those of the other nodes");
    this.#deps.onChange();
  }

  async #resume(): Promise<void> {
    const spool = this.#spool;
    this.#failure = await spool.failure();
    this.#halted = await spool.halted();
    this.#stop = await spool.stopReason();
    await this.#gang.readRecords();
    this.#phase = phaseFromSpool(spoolFacts(spool, this.#gang, { failed: this.#failure !== undefined }));
    this.#logger.info({ phase: this.#phase }, "going on with an attempt of an earlier agent");
    this.#deps.onChange();
  }

  async #prepare(): Promise<void> {
    const [message, spool, signal] = [this.#message, this.#spool, this.#preparing.signal];
    try {
      await fetchParts(this.#deps, this.#assignment, { message, spool, signal });
      if (!bringsPython(this.#assignment)) this.#readyToStart();
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
    const [spool, signal] = [this.#spool, this.#preparing.signal];
    try {
      const spec = await specWithOwnPython(this.#deps, this.#assignment, { spool, signal });
      await this.#insist(() => writeDurably(spool.path("spec.json"), spec));
      this.#readyToStart();
    } catch (error) {
      this.#neverStarts = true;
      const timeout = delay(SHIP_BEFORE_FAILING_MS, undefined, { ref: false });
      await Promise.race([shipped.catch(() => undefined), timeout]);
      await this.#couldNotPrepare(error);
    }
  }

  async #recordAsStopped(): Promise<void> {
    const reason = this.#stop ?? "requested";
    await recordStopped(this.#spool, { message: this.#message, ranks: this.#ranks, reason });
    this.#happened("stop_asked");
  }

  async #fail(failure: StartFailure): Promise<void> {
    this.#logger.warn({ ...failure }, "the attempt could not start");
    this.#failure = failure;
    try {
      await recordFailed(this.#spool, { message: this.#message, failure });
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
    if (!this.#collectiveTimedOut && this.#spool.collectiveTimedOut) {
      this.#collectiveTimedOut = true;
      this.#deps.onChange();
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

  /** Does a step of it until it succeeds or the agent stops. */
  #insist(step: () => Promise<void>): Promise<void> {
    return insist(step, { signal: this.#leaving.signal, logger: this.#logger });
  }

  #ranksStarted(): void {
    this.#happened("ranks_started");
    const how = this.#gang.shimStart;
    if (how !== undefined) this.#logger.info({ ...how }, "the ranks have started");
    recordStarts(this.#assignment, this.#gang.starts, { preparedAtMs: this.#startingAtMs, how });
  }

  #happened(happening: AttemptHappening): void {
    const next = phaseAfter(this.#phase, happening);
    if (next === this.#phase) return;
    this.#logger.info({ from: this.#phase, to: next }, "attempt");
    this.#phase = next;
    this.#deps.onChange();
  }
}

function stopOrder(reason: StopReason | undefined): StopOrder | undefined {
  if (reason === undefined) return undefined;
  return reason === "gang_failed" ? "hand_over" : "stop";
}
