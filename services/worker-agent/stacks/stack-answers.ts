import { setTimeout as delay } from "node:timers/promises";
import { create, toBinary } from "@bufbuild/protobuf";
import type { Bus } from "@trainyard/bus";
import { workeragent } from "@trainyard/contracts";
import { type Part, readStackRequest, type Verifier } from "@trainyard/service";
import type { Logger } from "@trainyard/telemetry";
import type { BusLink } from "../heartbeat/bus-link.ts";
import type { CapturedStack } from "./capture-stack.ts";

/** Between two tries to listen. */
const RETRY_MS = 1_000;
/** Requests that are answered at a time: each costs signals and files. */
const MAX_AT_ONCE = 4;

export interface StackAnswersOptions {
  readonly nodeId: string;
  readonly link: BusLink;
  /** Knows the scheduler's key. */
  readonly verifier: Verifier;
  /** The stacks of an attempt's ranks on this node; none when it does not run here. */
  readonly capture: (
    of: { readonly jobId: string; readonly attempt: number },
    logAs: string,
  ) => Promise<readonly (CapturedStack & { readonly rank: number })[]>;
  readonly logger: Logger;
}

/** Answers the scheduler's requests for stacks; whatever the scheduler has not signed a moment ago is not answered. */
export class StackAnswers implements Part {
  readonly name = "stacks";
  readonly #options: StackAnswersOptions;
  readonly #stopping = new AbortController();
  readonly #stopped = Promise.withResolvers<void>();
  #running: Promise<void> = Promise.resolve();
  #answering = 0;

  constructor(options: StackAnswersOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    this.#running = this.#listen();
  }

  async stop(): Promise<void> {
    this.#stopping.abort(new Error("the agent is stopping"));
    this.#stopped.resolve();
    await this.#running;
  }

  async #listen(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      try {
        const bus = await this.#options.link.connected(signal);
        await this.#answerAll(bus);
      } catch (error) {
        if (signal.aborted) return;
        this.#options.logger.warn({ err: error }, "requests for stacks are not heard; trying on");
      }
      await delay(RETRY_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  /** The client keeps the subscription over reconnects. */
  async #answerAll(bus: Bus): Promise<void> {
    const subscription = bus.nc.subscribe(`agents.${this.#options.nodeId}.stacks`, {
      callback: (error, message) => {
        if (error !== null)
          this.#options.logger.warn({ err: error }, "a request for stacks was not received");
        else void this.#answer(bus, message.data);
      },
    });
    await Promise.race([subscription.closed, this.#stopped.promise]);
    subscription.unsubscribe();
  }

  async #answer(bus: Bus, bytes: Uint8Array): Promise<void> {
    const { nodeId, verifier, capture, logger } = this.#options;
    if (this.#answering >= MAX_AT_ONCE) return;
    this.#answering += 1;
    try {
      const request = await readStackRequest(verifier, nodeId, bytes, Date.now());
      if (request === undefined) return void logger.warn("a request for stacks is not the scheduler's");
      const reply = create(workeragent.StackReplySchema, {
        ranks: [...(await capture(request, request.logAs))],
      });
      bus.nc.publish(
        `agents.${nodeId}.stack-replies.${request.replyId}`,
        toBinary(workeragent.StackReplySchema, reply),
      );
    } catch (error) {
      logger.warn({ err: error }, "a request for stacks could not be answered");
    } finally {
      this.#answering -= 1;
    }
  }
}
