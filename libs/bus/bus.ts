import { setTimeout as delay } from "node:timers/promises";
import { type JetStreamClient, type JetStreamManager, jetstream, jetstreamManager } from "@nats-io/jetstream";
import {
  AuthorizationError,
  connect,
  headers,
  type NatsConnection,
  nkeyAuthenticator,
  TimeoutError,
} from "@nats-io/transport-node";
import type { Logger } from "@trainyard/telemetry";
import { apiCodes, hasApiCode, PublishError, StalePublisherError } from "./errors.ts";
import { inboxPrefix } from "./inbox-prefix.ts";

/** Where the bus is and who connects. */
export interface BusOptions {
  /** "nats://host:port", or several. */
  readonly servers: string | readonly string[];
  /** The user's name as in the server's configuration: it names the connection and its reply subjects. */
  readonly name: string;
  /** The user's nkey seed ("SU…"); left out where the server asks for none. */
  readonly seed?: Uint8Array | string;
  readonly logger: Logger;
}

/** What goes with a published message. */
export interface PublishOptions {
  /** Deduplicates: within the stream's window a second message of this id is not stored. */
  readonly msgId: string;
  /** Stored only when the subject's (or, with the header that widens it, the filter's) last sequence is this. */
  readonly expectedLastSubjectSequence?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly traceparent?: string;
}

/** Where a message was stored. */
export interface Published {
  readonly stream: string;
  readonly seq: number;
  /** The stream had a message of this id already. */
  readonly duplicate: boolean;
}

/** A connection to the bus. It reconnects for ever; what is asked of it meanwhile waits or fails within its deadline. */
export interface Bus {
  readonly nc: NatsConnection;
  readonly js: JetStreamClient;
  readonly jsm: JetStreamManager;
  /**
   * Stores a message durably. Throws PublishError when no try succeeded, and StalePublisherError when the expected sequence
   * was not the last: that may be this very message, stored by a try whose acknowledgement was lost, so look before giving up.
   */
  publish(subject: string, data: Uint8Array, options: PublishOptions): Promise<Published>;
  /** A round trip to the server; rejects within a second when it cannot be reached. */
  probe(): Promise<void>;
  close(): Promise<void>;
}

/**
 * Longest wait for one acknowledgement. A server that was killed answers nothing, so a short wait and a repeat with the
 * same id find the restarted one soonest.
 */
const PUBLISH_TIMEOUT_MS = 1_000;
const PUBLISH_TRIES = 3;
const API_TIMEOUT_MS = 5_000;
const PROBE_TIMEOUT_MS = 1_000;
const RECONNECT_WAIT_MS = 200;
const CLOSE_TIMEOUT_MS = 2_000;
/**
 * For one greeting between the server and a client. A server that takes in a changed configuration just then, as it does
 * when a node joins, now and then answers it never, or refuses a user whom it knows before and after (seen in 89 of 746
 * connections made while it did so without a pause). Another greeting is quick; refusals are waited out for 3 s.
 */
const GREET_TIMEOUT_MS = 4_000;
const GREET_TRIES = 5;

/** Connects. Rejects when the server cannot be reached or refuses the user; once connected it never gives up. */
export async function connectBus({ servers, name, seed, logger }: BusOptions): Promise<Bus> {
  const nc = await greet({
    servers: typeof servers === "string" ? servers : [...servers],
    name,
    inboxPrefix: inboxPrefix(name),
    maxReconnectAttempts: -1,
    reconnectTimeWait: RECONNECT_WAIT_MS,
    reconnectJitter: RECONNECT_WAIT_MS / 2,
    // Refused twice in a row, which a server can do to a user whom it knows (see GREET_TRIES), it would be closed for good.
    ignoreAuthErrorAbort: true,
    pingInterval: 10_000,
    timeout: GREET_TIMEOUT_MS,
    ...(seed === undefined
      ? {}
      : {
          authenticator: nkeyAuthenticator(
            typeof seed === "string" ? new TextEncoder().encode(seed.trim()) : seed,
          ),
        }),
  });
  void logStatus(nc, logger);
  const jsm = await jetstreamManager(nc, { timeout: API_TIMEOUT_MS, checkAPI: false });
  const js = jetstream(nc, { timeout: API_TIMEOUT_MS });

  async function publishOnce(subject: string, data: Uint8Array, options: PublishOptions): Promise<Published> {
    const head = headers();
    for (const [key, value] of Object.entries(options.headers ?? {})) head.set(key, value);
    if (options.traceparent !== undefined) head.set("traceparent", options.traceparent);
    const { stream, seq, duplicate } = await js.publish(subject, data, {
      msgID: options.msgId,
      timeout: PUBLISH_TIMEOUT_MS,
      headers: head,
      ...(options.expectedLastSubjectSequence === undefined
        ? {}
        : { expect: { lastSubjectSequence: options.expectedLastSubjectSequence } }),
    });
    return { stream, seq, duplicate };
  }

  return {
    nc,
    js,
    jsm,
    async publish(subject, data, options) {
      let last: unknown;
      for (let tries = 0; tries < PUBLISH_TRIES && !nc.isClosed(); tries++) {
        try {
          return await publishOnce(subject, data, options);
        } catch (error) {
          if (hasApiCode(error, apiCodes.wrongLastSequence)) {
            throw new StalePublisherError(subject, options.expectedLastSubjectSequence ?? 0, error);
          }
          last = error;
        }
      }
      throw new PublishError(subject, last ?? new Error("the connection is closed"));
    },
    async probe() {
      await within(PROBE_TIMEOUT_MS, nc.flush(), "the bus did not answer");
    },
    async close() {
      if (nc.isClosed()) return;
      await within(CLOSE_TIMEOUT_MS, nc.drain(), "the bus did not drain").catch(() => nc.close());
    },
  };
}

async function within<T>(timeoutMs: number, promise: Promise<T>, message: string): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`${message} within ${timeoutMs} ms`)), timeoutMs);
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Tells the log of every change of the connection until it is closed. */
async function logStatus(nc: NatsConnection, logger: Logger): Promise<void> {
  for await (const status of nc.status()) {
    if (status.type === "disconnect") logger.warn({ server: status.server }, "bus disconnected");
    else if (status.type === "reconnect") logger.info({ server: status.server }, "bus reconnected");
    else if (status.type === "error") logger.warn({ err: status.error }, "bus error");
  }
}

async function greet(options: Parameters<typeof connect>[0]): Promise<NatsConnection> {
  for (let tries = 1; ; tries++) {
    try {
      return await connect(options);
    } catch (error) {
      const mayBeLost = error instanceof TimeoutError || error instanceof AuthorizationError;
      if (!mayBeLost || tries === GREET_TRIES) throw error;
      await delay(RECONNECT_WAIT_MS * 2 ** (tries - 1));
    }
  }
}
