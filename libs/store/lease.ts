/**
 * A lease in MongoDB with a fencing token, for work that one process at a time may do.
 *
 * Clocks of two machines are never compared. The holder counts its term on its own monotonic clock from *before* it
 * asked for a renewal; a candidate takes over only after it has itself watched an unchanged (token, renewals) for a
 * whole TTL, counted from *after* it read it. So the holder always stops first. What timing cannot give (a paused
 * holder whose write is already on its way) the token gives: see `fencedTransaction`.
 */
import type { Collection } from "mongodb";
import { isDuplicateKey } from "./errors.ts";
import type { StorePart } from "./part.ts";
import { collections, type LeaseRow } from "./schema.ts";
import type { Store } from "./store.ts";
import { pause, unlessAborted } from "./waiting.ts";

/** Reads a monotonic clock, in milliseconds from any origin. */
export interface MonotonicClock {
  nowMs(): number;
}

/** The right to act, while `signal` has not aborted. */
export interface LeaseToken {
  /** Rises with every take-over and never falls: the epoch of everything done under it. */
  readonly token: number;
  /** Aborts when the lease is lost, given up, or its term is over. */
  readonly signal: AbortSignal;
}

/** One candidate for, and perhaps holder of, a named lease. */
export interface Lease extends StorePart {
  readonly store: Store;
  readonly leaseName: string;
  /** The token while it is held by this process, by this process's clock; undefined otherwise. */
  token(): LeaseToken | undefined;
  /** Resolves with the next (or present) token; rejects when `signal` aborts or the lease is stopped. */
  acquired(signal?: AbortSignal): Promise<LeaseToken>;
}

/** Which lease, for whom, for how long. */
export interface LeaseOptions {
  readonly store: Store;
  readonly name: string;
  /** Shown to people; two processes with one name are still two holders. */
  readonly holder: string;
  /** A dead holder is replaced after one to two of these. */
  readonly ttlMs: number;
  readonly clock?: MonotonicClock;
}

/** The holder gives up this part of its term early: two machines' clocks may run at slightly different rates. */
const DRIFT_SHARE = 0.1;
const RENEWALS_PER_TTL = 4;
/** A candidate looks at least so often, so that a lease given back is taken at once. */
const LONGEST_LOOK_MS = 250;

interface Held {
  readonly token: number;
  readonly abort: AbortController;
  untilMs: number;
  timer: NodeJS.Timeout | undefined;
}

/** A lease candidate; it begins to compete when started. */
export function lease(options: LeaseOptions): Lease {
  const { store, name, ttlMs } = options;
  const clock = options.clock ?? { nowMs: () => performance.now() };
  const holder = `${options.holder}#${crypto.randomUUID()}`;
  const rows: Collection<LeaseRow> = store.collection(collections.leases);
  const stopping = new AbortController();
  const waiters = new Set<(token: LeaseToken) => void>();
  let held: Held | undefined;
  let seen: { token: number; renewals: number; sinceMs: number } | undefined;
  let loop: Promise<void> | undefined;

  function take(token: number, startedMs: number): void {
    const grant: Held = { token, abort: new AbortController(), untilMs: 0, timer: undefined };
    held = grant;
    extend(grant, startedMs);
    if (current() === undefined) return; // The answer came after the term.
    store.logger.info({ lease: name, epoch: token }, "lease taken");
    for (const tell of [...waiters]) tell({ token, signal: grant.abort.signal });
  }

  function extend(grant: Held, startedMs: number): void {
    grant.untilMs = startedMs + ttlMs * (1 - DRIFT_SHARE);
    clearTimeout(grant.timer);
    grant.timer = setTimeout(() => current(), Math.max(0, grant.untilMs - clock.nowMs()) + 1);
  }

  function drop(reason: string): void {
    if (held === undefined) return;
    clearTimeout(held.timer);
    store.logger.warn({ lease: name, epoch: held.token, reason }, "lease lost");
    const { abort } = held;
    held = undefined;
    seen = undefined;
    abort.abort(new Error(`lease ${name} lost: ${reason}`));
  }

  function current(): LeaseToken | undefined {
    if (held !== undefined && clock.nowMs() >= held.untilMs) drop("its term ended without a renewal");
    return held === undefined ? undefined : { token: held.token, signal: held.abort.signal };
  }

  async function renew(grant: Held): Promise<void> {
    const startedMs = clock.nowMs();
    const { matchedCount } = await rows.updateOne(
      { _id: name, token: grant.token, holder },
      { $inc: { renewals: 1 }, $currentDate: { changedAt: true } },
    );
    if (held !== grant) return;
    if (matchedCount === 0) drop("another holder has taken it");
    else if (current() !== undefined) extend(grant, startedMs);
  }

  async function compete(): Promise<void> {
    const row = await rows.findOne({ _id: name });
    const nowMs = clock.nowMs();
    if (row === null) {
      await create(nowMs);
      return;
    }
    const changed = seen === undefined || seen.token !== row.token || seen.renewals !== row.renewals;
    if (changed) seen = { token: row.token, renewals: row.renewals, sinceMs: nowMs };
    const expired = seen !== undefined && nowMs - seen.sinceMs >= ttlMs;
    // Our own row, after our own term ran out, is ours to take again: the old token's signal has aborted.
    if (row.holder !== null && row.holder !== holder && !expired) return;
    const { modifiedCount } = await rows.updateOne(
      { _id: name, token: row.token, renewals: row.renewals },
      { $set: { holder, renewals: 0 }, $inc: { token: 1 }, $currentDate: { changedAt: true } },
    );
    if (modifiedCount === 1) take(row.token + 1, nowMs);
  }

  async function create(startedMs: number): Promise<void> {
    const row: LeaseRow = {
      _id: name,
      schemaVersion: 1,
      holder,
      token: 1,
      renewals: 0,
      fencedWrites: 0,
      changedAt: new Date(),
    };
    try {
      await rows.insertOne(row);
      take(1, startedMs);
    } catch (error) {
      if (!isDuplicateKey(error)) throw error;
    }
  }

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      try {
        const grant = current() === undefined ? undefined : held;
        await (grant === undefined ? compete() : renew(grant));
      } catch (error) {
        store.logger.warn({ err: error, lease: name }, "lease could not be asked for; trying again");
      }
      const renewalMs = ttlMs / RENEWALS_PER_TTL;
      await pause(held === undefined ? Math.min(renewalMs, LONGEST_LOOK_MS) : renewalMs, stopping.signal);
    }
  }

  async function release(): Promise<void> {
    const grant = held;
    if (grant === undefined) return;
    drop("given up by its holder");
    await rows
      .updateOne({ _id: name, token: grant.token, holder }, { $set: { holder: null }, $inc: { renewals: 1 } })
      .catch((error: unknown) =>
        store.logger.warn({ err: error, lease: name }, "lease not given back: it will expire"),
      );
  }

  return {
    name: `lease ${name}`,
    leaseName: name,
    store,
    token: current,
    async acquired(signal) {
      const present = current();
      if (present !== undefined) return present;
      const ended = signal === undefined ? stopping.signal : AbortSignal.any([signal, stopping.signal]);
      ended.throwIfAborted();
      return new Promise<LeaseToken>((resolve, reject) => {
        const tell = (token: LeaseToken) => {
          waiters.delete(tell);
          ended.removeEventListener("abort", give);
          resolve(token);
        };
        const give = () => {
          waiters.delete(tell);
          reject(ended.reason);
        };
        waiters.add(tell);
        ended.addEventListener("abort", give, { once: true });
      });
    },
    async start() {
      loop ??= run();
    },
    async stop(signal) {
      stopping.abort(new Error(`lease ${name} is stopped`));
      await unlessAborted(
        (async () => {
          await loop;
          await release();
        })(),
        signal,
      );
      drop("its holder is stopped");
    },
  };
}
