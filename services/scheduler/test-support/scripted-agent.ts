import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { Bus } from "@trainyard/bus";
import { openKv } from "@trainyard/bus";
import { scheduler, workeragent } from "@trainyard/contracts";
import { readDesiredState, readStackRequest, type Verifier } from "@trainyard/service";
import { waitFor } from "@trainyard/testing";

type StatusInit = MessageInitShape<typeof workeragent.AttemptStatusSchema> & {
  jobId: string;
  attempt: number;
};
type RankInit = MessageInitShape<typeof workeragent.RankStatusSchema>;

/** How a rank ends in a test. */
export interface ScriptedExit {
  readonly code?: number;
  readonly signal?: number;
  readonly order?: number;
  readonly lastStep?: number;
  readonly tracebackTail?: string;
}

/**
 * An agent without ranks: it speaks the real protocol (desired state from the bucket, heartbeats on core NATS) over a
 * real bus, and its attempts do what the test says.
 */
export class ScriptedAgent {
  readonly nodeId: string;
  readonly #bus: Bus;
  readonly #slots: number;
  readonly #verifier: Verifier;
  readonly #parts = new Map<string, StatusInit>();
  #instance = crypto.randomUUID();
  #sequence = 0n;
  #applied = { epoch: 0n, generation: 0n };
  #timer: NodeJS.Timeout | undefined;
  protocolVersion = 1;
  slotKind = "cpu";
  lifecycle = scheduler.AgentLifecycle.READY;
  /** What its attempts tell from now on. */
  collectiveTimedOut = false;
  nonFinite: MessageInitShape<typeof workeragent.NonFiniteMetricSchema> | undefined;

  constructor(bus: Bus, verifier: Verifier, nodeId: string, slots: number) {
    this.#bus = bus;
    this.#verifier = verifier;
    this.nodeId = nodeId;
    this.#slots = slots;
  }

  /** Beats until `silence`. */
  start(everyMs = 100): this {
    this.#timer = setInterval(() => this.beat(), everyMs);
    this.beat();
    return this;
  }

  silence(): void {
    clearInterval(this.#timer);
  }

  /** As after a restart of the agent's process: a new instance that finds its attempts again, unless they are gone. */
  restart(options: { readonly lost?: boolean } = {}): void {
    this.#instance = crypto.randomUUID();
    this.#sequence = 0n;
    if (options.lost === true) this.#parts.clear();
  }

  beat(): Uint8Array {
    this.#sequence++;
    const bytes = toBinary(
      workeragent.NodeHeartbeatSchema,
      create(workeragent.NodeHeartbeatSchema, {
        protocolVersion: this.protocolVersion,
        nodeId: this.nodeId,
        agentInstance: this.#instance,
        sequence: this.#sequence,
        agentVersion: "0.1.0",
        slots: this.#slots,
        slotKind: this.slotKind,
        address: "127.0.0.1",
        cpuCount: 2,
        memoryBytes: 1n << 30n,
        appliedEpoch: this.#applied.epoch,
        appliedGeneration: this.#applied.generation,
        lifecycle: this.lifecycle,
        attempts: [...this.#parts.values()],
      }),
    );
    this.resend(bytes);
    return bytes;
  }

  /** Sends a heartbeat again, as a confused network would. */
  resend(bytes: Uint8Array): void {
    this.#bus.nc.publish(`agents.${this.nodeId}.heartbeat`, bytes);
  }

  /** What the scheduler has signed for this node, if that is what stands there. */
  async desired(): Promise<workeragent.NodeDesiredState | undefined> {
    const kv = await openKv(this.#bus, "desired");
    const entry = await kv.get(`node.${this.nodeId}`);
    if (entry === null) return undefined;
    const reading = await readDesiredState(this.#verifier, this.nodeId, entry.value);
    return reading.kind === "sound" ? reading.state : undefined;
  }

  /** Waits until the desired state says so, and counts it as applied. */
  async applied(
    what: string,
    accept: (state: workeragent.NodeDesiredState) => boolean,
  ): Promise<workeragent.NodeDesiredState> {
    const state = await waitFor(`desired state of ${this.nodeId}: ${what}`, async () => {
      const found = await this.desired();
      return found !== undefined && accept(found) ? found : undefined;
    });
    this.#applied = { epoch: state.leaderEpoch, generation: state.generation };
    for (const key of [...this.#parts.keys()]) {
      const listed = state.assignments.some(({ jobId, attempt }) => `${jobId}/${attempt}` === key);
      if (!listed && this.#isOver(key)) this.#parts.delete(key);
    }
    for (const assignment of state.assignments) this.#prepare(assignment);
    this.beat();
    return state;
  }

  /** The assignment of this attempt, once it is there. */
  async assigned(
    jobId: string,
    attempt: number,
    action = workeragent.AssignmentAction.RUN,
  ): Promise<workeragent.Assignment> {
    const isIt = (each: workeragent.Assignment) =>
      each.jobId === jobId && each.attempt === attempt && each.action === action;
    const state = await this.applied(`attempt ${attempt} of ${jobId}`, (each) => each.assignments.some(isIt));
    const found = state.assignments.find(isIt);
    if (found === undefined) throw new Error("it was there a moment ago");
    return found;
  }

  /** Answers every request for stacks with these texts, by rank; gives the requests as they come. */
  async answerStacks(texts: readonly string[]): Promise<readonly workeragent.StackRequest[]> {
    const requests: workeragent.StackRequest[] = [];
    this.#bus.nc.subscribe(`agents.${this.nodeId}.stacks`, {
      callback: (_error, { data }) => void answer(data),
    });
    await this.#bus.nc.flush();
    const answer = async (data: Uint8Array) => {
      const request = await readStackRequest(this.#verifier, this.nodeId, data, Date.now());
      if (request === undefined) return;
      requests.push(request);
      const reply = create(workeragent.StackReplySchema, {
        ranks: texts.map((text, rank) => ({ rank, text })),
      });
      const subject = `agents.${this.nodeId}.stack-replies.${request.replyId}`;
      this.#bus.nc.publish(subject, toBinary(workeragent.StackReplySchema, reply));
    };
    return requests;
  }

  /** Every rank of the assignment runs. */
  running(
    assignment: workeragent.Assignment,
    lastStep = -1,
    more: {
      readonly checkpointSteps?: readonly bigint[];
      readonly phase?: string;
      readonly timings?: readonly MessageInitShape<typeof workeragent.StepTimingSchema>[];
      /** Of one core, in percent; untold unless given. */
      readonly cpuPercent?: number;
    } = {},
  ): void {
    const ranks = assignment.ranks.map(
      ({ rank }, index): RankInit => ({
        ...(more.checkpointSteps?.[index] === undefined
          ? {}
          : { checkpointStep: more.checkpointSteps[index] }),
        ...(more.timings?.[index] === undefined ? {} : { timing: more.timings[index] }),
        ...(more.cpuPercent === undefined ? {} : { usage: { cpuPercent: more.cpuPercent } }),
        phase: more.phase ?? "",
        rank,
        pid: 1000 + rank,
        startedAt: timestampFromDate(new Date()),
        lastStep: BigInt(lastStep),
        ...(lastStep < 0 ? {} : { firstStepAt: timestampFromDate(new Date()) }),
      }),
    );
    this.#report(assignment, workeragent.AttemptPhase.RUNNING, ranks);
  }

  /** Every rank has ended so (by rank; exit 0 where nothing is said), and everything is stored. */
  finalized(
    assignment: workeragent.Assignment,
    exits: Readonly<Record<number, ScriptedExit>> = {},
    phase = workeragent.AttemptPhase.FINALIZED,
  ): void {
    const ranks = assignment.ranks.map(({ rank }): RankInit => {
      const { code = 0, signal = 0, order = 2, lastStep = 10, tracebackTail = "" } = exits[rank] ?? {};
      const at = timestampFromDate(new Date(1_700_000_000_000));
      return {
        rank,
        pid: 1000 + rank,
        startedAt: timestampFromDate(new Date()),
        lastStep: BigInt(lastStep),
        exit: { code, signal, order, tracebackTail, at },
      };
    });
    this.#report(assignment, phase, ranks);
  }

  failedToStart(assignment: workeragent.Assignment, failureReason: string, failureMessage: string): void {
    const { jobId, runId, attempt } = assignment;
    const phase = workeragent.AttemptPhase.FAILED_TO_START;
    this.#parts.set(`${jobId}/${attempt}`, { jobId, runId, attempt, phase, failureReason, failureMessage });
    this.beat();
  }

  #report(assignment: workeragent.Assignment, phase: workeragent.AttemptPhase, ranks: RankInit[]): void {
    const { jobId, runId, attempt } = assignment;
    const { nonFinite, collectiveTimedOut } = this;
    const told = nonFinite === undefined ? { collectiveTimedOut } : { collectiveTimedOut, nonFinite };
    this.#parts.set(`${jobId}/${attempt}`, { jobId, runId, attempt, phase, ranks, ...told });
    this.beat();
  }

  /** What is to run is there from the heartbeat on that says so: else its ranks would count as gone. */
  #prepare({ jobId, runId, attempt, action }: workeragent.Assignment): void {
    const key = `${jobId}/${attempt}`;
    if (action !== workeragent.AssignmentAction.RUN || this.#parts.has(key)) return;
    this.#parts.set(key, { jobId, runId, attempt, phase: workeragent.AttemptPhase.PREPARING });
  }

  #isOver(key: string): boolean {
    const phase = this.#parts.get(key)?.phase;
    return phase === workeragent.AttemptPhase.FINALIZED || phase === workeragent.AttemptPhase.FAILED_TO_START;
  }
}
