import { randomUUID } from "node:crypto";
import { create, toBinary } from "@bufbuild/protobuf";
import { scheduler, workeragent } from "@trainyard/contracts";
import type { Part } from "@trainyard/service";
import type { Logger } from "@trainyard/telemetry";
import type { AgentLifecycle } from "../domain/agent-lifecycle.ts";
import { type DesiredVersion, PROTOCOL_VERSION } from "../domain/desired-order.ts";
import type { AttemptStatus } from "../ranks/attempt-status.ts";
import type { BusLink } from "./bus-link.ts";
import type { GpuMonitor } from "./gpu-monitor.ts";
import type { MachineUsage } from "./machine-usage.ts";
import type { NodeFacts } from "./node-facts.ts";
import { attemptStatusMessage, gpuMessage, machineMessage } from "./to-proto.ts";

const INTERVAL_MS = 1_000;
/** Changes that come together are told together. */
const COALESCE_MS = 10;
const AGENT_VERSION = "0.1.0";

const lifecycles: Readonly<Record<AgentLifecycle, scheduler.AgentLifecycle>> = {
  registering: scheduler.AgentLifecycle.REGISTERING,
  ready: scheduler.AgentLifecycle.READY,
  draining: scheduler.AgentLifecycle.DRAINING,
  drained: scheduler.AgentLifecycle.DRAINED,
  stopped: scheduler.AgentLifecycle.STOPPED,
};

export interface HeartbeatOptions {
  readonly nodeId: string;
  readonly address: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly facts: NodeFacts;
  readonly link: BusLink;
  readonly attempts: () => readonly AttemptStatus[];
  readonly applied: () => DesiredVersion | undefined;
  /** Where the agent is in its life, as long as it is not stopped. */
  readonly lifecycle: () => AgentLifecycle;
  /** How long until an agent that is ending stops its ranks by itself; 0 when it is not ending. */
  readonly drainWithinMs: () => number;
  readonly gpus: Pick<GpuMonitor, "all" | "faultOf" | "links">;
  readonly machine: () => Promise<MachineUsage>;
  readonly logger: Logger;
}

/** Tells the scheduler the node's whole actual state, each second and at once when something has changed. */
export class Heartbeat implements Part {
  readonly name = "heartbeat";
  readonly #options: HeartbeatOptions;
  readonly #instance = randomUUID();
  #sequence = 0n;
  #stopped = false;
  #machine: MachineUsage | undefined;
  #timer: NodeJS.Timeout | undefined;
  #soon: NodeJS.Timeout | undefined;

  constructor(options: HeartbeatOptions) {
    this.#options = options;
  }

  /** Sends one at once; several calls in a row become one. */
  changed(): void {
    if (this.#timer !== undefined) this.#soon ??= setTimeout(() => this.#send(), COALESCE_MS);
  }

  async start(): Promise<void> {
    this.#timer = setInterval(() => {
      this.#send();
      // For the next one: a heartbeat waits for nothing, least of all for a disk.
      this.#options.machine().then(
        (machine) => {
          this.#machine = machine;
        },
        () => undefined,
      );
    }, INTERVAL_MS);
    void this.#options.link.connected(AbortSignal.timeout(INTERVAL_MS)).then(
      () => this.changed(),
      () => undefined,
    );
  }

  /** The last one tells what is left when the agent has stopped. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    // What was about to be told, such as that a draining node is empty, is told before it.
    if (this.#soon !== undefined) this.#send();
    this.#timer = undefined;
    this.#stopped = true;
    this.#send();
  }

  #send(): void {
    clearTimeout(this.#soon);
    this.#soon = undefined;
    const nc = this.#options.link.bus?.nc;
    // While it is cut off, nothing is queued up: old states are of no use to anyone.
    if (nc === undefined || nc.isClosed()) return;
    this.#sequence += 1n;
    try {
      nc.publish(`agents.${this.#options.nodeId}.heartbeat`, this.#encode());
    } catch (error) {
      this.#options.logger.error({ err: error }, "the heartbeat could not be sent");
    }
  }

  #encode(): Uint8Array {
    const { nodeId, address, labels, facts, attempts, applied, gpus } = this.#options;
    const version = applied();
    const message = create(workeragent.NodeHeartbeatSchema, {
      protocolVersion: PROTOCOL_VERSION,
      nodeId,
      agentInstance: this.#instance,
      sequence: this.#sequence,
      agentVersion: AGENT_VERSION,
      slots: facts.slots,
      slotKind: facts.slotKind,
      labels: { ...labels },
      address,
      cpuCount: facts.cpuCount,
      memoryBytes: BigInt(facts.memoryBytes),
      lifecycle: lifecycles[this.#stopped ? "stopped" : this.#options.lifecycle()],
      drainWithinMs: BigInt(Math.ceil(this.#options.drainWithinMs())),
      appliedEpoch: version?.epoch ?? 0n,
      appliedGeneration: version?.generation ?? 0n,
      attempts: attempts().map(attemptStatusMessage),
      gpus: gpus.all().map((gpu) => gpuMessage(gpu, gpus.faultOf(gpu))),
      gpuLinks: gpus.links().map((link) => ({ ...link })),
      ...(this.#machine === undefined ? {} : { machine: machineMessage(this.#machine) }),
    });
    return toBinary(workeragent.NodeHeartbeatSchema, message);
  }
}
