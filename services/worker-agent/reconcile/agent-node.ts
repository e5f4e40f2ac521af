import { readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { workeragent } from "@trainyard/contracts";
import type { Part } from "@trainyard/service";
import type { Logger } from "@trainyard/telemetry";
import { type AgentLifecycle, lifecycleOf } from "../domain/agent-lifecycle.ts";
import { type Assignment, type AttemptKey, attemptKey } from "../domain/assignment.ts";
import { assignmentProblem } from "../domain/assignment-problem.ts";
import { isFinal } from "../domain/attempt-phase.ts";
import { type DesiredVersion, receive } from "../domain/desired-order.ts";
import { plan } from "../domain/plan.ts";
import { clearUnprepared } from "../prepare/prepare-attempt.ts";
import { Attempt } from "../ranks/attempt.ts";
import type { AttemptDeps } from "../ranks/attempt-deps.ts";
import type { AttemptStatus } from "../ranks/attempt-status.ts";
import { ASSIGNMENT_FILE, Spool, type StopReason } from "../ranks/spool.ts";
import { assignmentFrom } from "./from-proto.ts";

/** How long a stopping agent waits for what its ranks recorded to be stored; what is left is shipped by the next one. */
const FLUSH_ON_STOP_MS = 3_000;
const LOOK_INTERVAL_MS = 50;

export interface AgentNodeOptions {
  readonly nodeId: string;
  readonly attempts: Omit<AttemptDeps, "onChange">;
  /** Whether an agent that stops ends its ranks, or leaves them to the next one. */
  readonly onStop: "leave" | "stop" | "drain";
  readonly onChange: () => void;
  readonly logger: Logger;
}

interface Received {
  readonly assignment: Assignment;
  readonly message: Uint8Array;
}

/** Everything that this node runs, and the one place where it is made to be what the scheduler wants. */
export class AgentNode implements Part {
  readonly name = "attempts";
  readonly #options: AgentNodeOptions;
  readonly #attempts = new Map<AttemptKey, Attempt>();
  #desired: ReadonlyMap<AttemptKey, Received> | undefined;
  #applied: DesiredVersion | undefined;
  #drainOrdered = false;
  #drain: { readonly untilMs: number } | undefined;
  #stopping = false;

  constructor(options: AgentNodeOptions) {
    this.#options = options;
  }

  /** The desired state last applied. */
  get applied(): DesiredVersion | undefined {
    return this.#applied;
  }

  /** Where the agent is in its life. */
  get lifecycle(): AgentLifecycle {
    return lifecycleOf({
      told: this.#applied !== undefined,
      drainOrdered: this.#drainOrdered,
      draining: this.#drain !== undefined,
      busy: this.#isBusy,
      stopped: false,
    });
  }

  /** How long until an agent that is ending stops its ranks by itself; 0 when it is not ending. */
  get drainWithinMs(): number {
    return this.#drain === undefined ? 0 : Math.max(1, this.#drain.untilMs - performance.now());
  }

  get #isBusy(): boolean {
    return [...this.#attempts.values()].some(({ phase }) => !isFinal(phase));
  }

  statuses(): readonly AttemptStatus[] {
    return [...this.#attempts.values()].map((attempt) => attempt.status());
  }

  /** Takes up the attempts of an earlier agent, so that their ranks are watched before anything else is done. */
  async start(): Promise<void> {
    const { attemptsDir } = this.#options.attempts.prepare;
    await clearUnprepared(attemptsDir);
    for (const name of await readdir(attemptsDir)) await this.#takeUp(join(attemptsDir, name), name);
  }

  /**
   * Empties the node before the agent ends. First politely: the scheduler hears of it, has the gangs checkpoint, and moves
   * them. What is left when the time is up is stopped by the node itself.
   */
  async drain(withinMs: number, signal: AbortSignal): Promise<void> {
    const { logger, onChange } = this.#options;
    this.#drain = { untilMs: performance.now() + withinMs };
    logger.info({ withinMs, attempts: this.#attempts.size }, "draining before the agent ends");
    onChange();
    while (this.#isBusy && performance.now() < this.#drain.untilMs && !signal.aborted)
      await delay(LOOK_INTERVAL_MS);
    if (this.#isBusy) {
      logger.warn("the time to drain is over: what still runs is stopped");
      await this.#stopRanks(signal);
    }
    onChange();
  }

  async stop(signal: AbortSignal): Promise<void> {
    this.#stopping = true;
    if (this.#options.onStop === "stop") await this.#stopRanks(signal);
    await Promise.all([...this.#attempts.values()].map((attempt) => attempt.leave()));
  }

  /** Applies the desired state that was read from the bus, unless it is older than one that was applied. */
  apply(state: workeragent.NodeDesiredState): void {
    const { logger, nodeId } = this.#options;
    const version = { epoch: state.leaderEpoch, generation: state.generation };
    const reception = receive(
      { ...version, protocolVersion: state.protocolVersion, nodeId: state.nodeId },
      nodeId,
      this.#applied,
    );
    if (reception === "unknown_protocol" || reception === "other_node") {
      logger.warn(
        { reception, protocolVersion: state.protocolVersion },
        "the desired state is not applied; what runs is kept",
      );
    }
    if (reception !== "apply" || this.#stopping) return;
    const news = this.#applied?.epoch !== version.epoch || this.#applied.generation !== version.generation;
    this.#applied = version;
    this.#desired = this.#readAssignments(state.assignments);
    this.#drainOrdered = state.draining;
    this.reconcile();
    if (news) this.#options.onChange();
  }

  /** Takes the steps that are due; safe at any time. */
  reconcile(): void {
    if (this.#stopping) return;
    const desired =
      this.#desired === undefined ? undefined : [...this.#desired.values()].map((one) => one.assignment);
    const actual = [...this.#attempts.values()].map(({ key, phase }) => ({ key, phase }));
    for (const action of plan(desired, actual)) {
      switch (action.kind) {
        case "start":
          this.#begin(attemptKey(action.assignment));
          break;
        case "stop":
          if (action.assignment !== undefined) this.#begin(action.key);
          this.#attempts.get(action.key)?.requestStop(stopReason(this.#desired?.get(action.key)?.assignment));
          break;
        case "forget":
          this.#forget(action.key);
          break;
      }
    }
    for (const [key, { assignment }] of this.#desired ?? []) {
      const attempt = this.#attempts.get(key);
      attempt?.askCheckpoint(assignment.checkpointAtStep ?? 0);
      // Also one that is stopping: it may have been left the time to save, and have it no longer.
      if (assignment.action === "stop") attempt?.requestStop(stopReason(assignment));
    }
  }

  /** Where the ranks of an attempt are; none when it does not run here. */
  async stacks(of: { readonly jobId: string; readonly attempt: number }, logAs: string) {
    return (await this.#attempts.get(attemptKey(of))?.stacks(logAs)) ?? [];
  }

  /** Ends the ranks of every attempt; new ones may come. */
  stopAll(reason: StopReason): void {
    for (const attempt of this.#attempts.values()) attempt.requestStop(reason);
  }

  get hasRanks(): boolean {
    return [...this.#attempts.values()].some((attempt) => attempt.mayHaveRanks);
  }

  #readAssignments(messages: readonly workeragent.Assignment[]): Map<AttemptKey, Received> {
    const read = new Map<AttemptKey, Received>();
    for (const message of messages) {
      const assignment = assignmentFrom(message);
      const problem = assignmentProblem(assignment);
      const key = attemptKey(assignment);
      // What runs already was sound when it came; dropping it here would stop it.
      if (problem === undefined || this.#attempts.has(key)) {
        read.set(key, { assignment, message: toBinary(workeragent.AssignmentSchema, message) });
      } else if (assignment.action === "run") {
        // The order to stop what the scheduler gave up names no ranks; having nothing of it is having followed it.
        this.#options.logger.error({ jobId: message.jobId, problem }, "an assignment cannot be acted upon");
      }
    }
    return read;
  }

  #begin(key: AttemptKey): void {
    const received = this.#desired?.get(key);
    if (received === undefined) return;
    const attempt = this.#add(received);
    // Before it starts, so that a stop that came first prepares nothing.
    if (received.assignment.action === "stop") attempt.requestStop(stopReason(received.assignment));
    attempt.start();
  }

  #add({ assignment, message }: Received): Attempt {
    const onChange = () => {
      this.#options.onChange();
      // An attempt that has just ended may be one that is to be forgotten.
      setImmediate(() => this.reconcile());
    };
    const attempt = new Attempt({ ...this.#options.attempts, onChange }, assignment, message);
    this.#attempts.set(attempt.key, attempt);
    return attempt;
  }

  #forget(key: AttemptKey): void {
    const attempt = this.#attempts.get(key);
    if (attempt === undefined) return;
    this.#attempts.delete(key);
    const { logger, onChange } = this.#options;
    attempt
      .forget()
      .catch((error: unknown) => logger.error({ err: error, key }, "an attempt's directory stays"));
    onChange();
  }

  async #takeUp(dir: string, name: string): Promise<void> {
    // Attempts come whole, by a rename; what lacks its assignment was about to say that nothing was started.
    if (!new Spool(dir).exists) return rm(dir, { recursive: true, force: true });
    try {
      const message = new Uint8Array(await readFile(join(dir, ASSIGNMENT_FILE)));
      const assignment = assignmentFrom(fromBinary(workeragent.AssignmentSchema, message));
      if (
        attemptKey(assignment) !== name ||
        assignmentProblem({ ...assignment, action: "stop" }) !== undefined
      ) {
        throw new Error("it holds another attempt's assignment");
      }
      this.#add({ assignment, message }).start();
    } catch (error) {
      this.#options.logger.error(
        { err: error, dir },
        "a directory among the attempts is none, and left alone",
      );
    }
  }

  async #stopRanks(signal: AbortSignal): Promise<void> {
    this.stopAll("agent_stopped");
    while (this.hasRanks && !signal.aborted) await delay(LOOK_INTERVAL_MS);
    const until = performance.now() + FLUSH_ON_STOP_MS;
    const open = () => [...this.#attempts.values()].some(({ phase }) => !isFinal(phase));
    while (open() && !signal.aborted && performance.now() < until) await delay(LOOK_INTERVAL_MS);
  }
}

/** Why the scheduler has an attempt stopped, which it may not list any more. */
function stopReason(assignment: Assignment | undefined): StopReason {
  return assignment?.handOver === true ? "gang_failed" : "requested";
}
