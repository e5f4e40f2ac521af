import { type JetStreamClient, type JetStreamManager, jetstream, jetstreamManager } from "@nats-io/jetstream";
import type { Bus } from "./bus.ts";

/** Streams over the same connection, for who waits no longer than this for each answer. */
export async function jetstreamWithin(
  { nc }: Bus,
  timeoutMs: number,
): Promise<{ readonly js: JetStreamClient; readonly jsm: JetStreamManager }> {
  const options = { timeout: timeoutMs, checkAPI: false };
  return { js: jetstream(nc, options), jsm: await jetstreamManager(nc, options) };
}
