import { setTimeout as delay } from "node:timers/promises";
import { testStore } from "@trainyard/testing";
import type { Document } from "mongodb";
import { expect, it, onTestFinished } from "vitest";
import { StaleLeaseError } from "./errors.ts";
import { fencedTransaction } from "./fenced-transaction.ts";
import { type Lease, type LeaseOptions, type LeaseToken, lease } from "./lease.ts";
import type { Store } from "./store.ts";

const TTL_MS = 400;

async function candidate(store: Store, holder: string, more: Partial<LeaseOptions> = {}): Promise<Lease> {
  const made = lease({ store, name: "leader", holder, ttlMs: TTL_MS, ...more });
  await made.start();
  onTestFinished(() => made.stop(AbortSignal.timeout(60_000)));
  return made;
}

function aborted({ signal }: LeaseToken): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}

/** A store whose database can be cut off: what a partition does to a holder. */
function severable(store: Store): { store: Store; sever(): void } {
  let cut = false;
  const collection: Store["collection"] = (name) =>
    new Proxy(store.collection(name), {
      get(target, property) {
        if (cut) return () => Promise.reject(new Error("cut off"));
        const value: unknown = Reflect.get(target, property);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
  return {
    store: { ...store, collection },
    sever: () => {
      cut = true;
    },
  };
}

it("is held by one of several candidates, and longer than its TTL while renewed", async () => {
  const store = await testStore();
  // A busy machine may hold the holder up for a second.
  const ttlMs = 4_000;
  const candidates = await Promise.all(["a", "b", "c"].map((holder) => candidate(store, holder, { ttlMs })));
  const first = await Promise.race(candidates.map((each) => each.acquired()));
  const end = performance.now() + 1.25 * ttlMs;
  while (performance.now() < end) {
    expect(candidates.filter((each) => each.token() !== undefined)).toHaveLength(1);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  expect(first.signal.aborted).toBe(false);
});

it("passes at once, with a higher token, when its holder stops", async () => {
  const store = await testStore();
  const a = await candidate(store, "a", { ttlMs: 20_000 });
  const first = await a.acquired();
  await a.stop(AbortSignal.timeout(60_000));
  expect(first.signal.aborted).toBe(true);
  const b = await candidate(store, "b", { ttlMs: 20_000 });
  const second = await b.acquired(AbortSignal.timeout(60_000));
  expect(second.token).toBeGreaterThan(first.token);
});

it("is given up by a cut-off holder before another takes it", async () => {
  const store = await testStore();
  const link = severable(store);
  const a = await candidate(link.store, "a");
  const first = await a.acquired();
  const b = await candidate(store, "b");
  let abortedAtMs = Number.POSITIVE_INFINITY;
  const lost = aborted(first).then(() => {
    abortedAtMs = performance.now();
  });
  link.sever();
  const second = await b.acquired(AbortSignal.timeout(60_000));
  const takenAtMs = performance.now();
  await lost;
  expect(abortedAtMs).toBeLessThan(takenAtMs);
  expect(second.token).toBe(first.token + 1);
  expect(a.token()).toBeUndefined();
});

it("refuses the fenced transaction of a holder that does not know yet that it lost", async () => {
  const store = await testStore();
  // A clock that stands still: a holder whose process was paused, and that believes its term to run on.
  const paused = await candidate(severableAfterStart(store), "paused", { clock: { nowMs: () => 0 } });
  const stale = await paused.acquired();
  const b = await candidate(store, "b");
  await b.acquired(AbortSignal.timeout(60_000));
  expect(paused.token()?.token).toBe(stale.token);

  const rows = store.collection("decisions");
  const write = (by: Lease) =>
    fencedTransaction({ ...by, store }, "decide", async ({ session }, token) => {
      await rows.insertOne({ token }, { session });
    });
  await expect(write(paused)).rejects.toBeInstanceOf(StaleLeaseError);
  await write(b);
  expect(await rows.find({}, { projection: { _id: 0 } }).toArray()).toEqual([{ token: stale.token + 1 }]);
});

it("lets no take-over happen while a fenced transaction is open", async () => {
  const store = await testStore();
  const a = await candidate(store, "a", { ttlMs: 20_000 });
  await a.acquired();
  let takenOver = false;
  let takeOver: Promise<void> = Promise.resolve();
  await fencedTransaction(a, "decide", async ({ session }) => {
    takeOver = store
      .collection("leases")
      .updateOne({}, { $inc: { token: 1 } })
      .then(() => {
        takenOver = true;
      });
    // Long enough for a take-over that nothing holds back.
    await Promise.race([takeOver, delay(300)]);
    expect(takenOver).toBe(false);
    await store.collection("decisions").insertOne({}, { session });
  });
  await takeOver;
  await expect(fencedTransaction(a, "decide", async () => undefined)).rejects.toBeInstanceOf(StaleLeaseError);
  expect(await store.collection("decisions").countDocuments()).toBe(1);
});

it("refuses a fenced transaction without the lease", async () => {
  const store = await testStore();
  const idle = lease({ store, name: "leader", holder: "idle", ttlMs: TTL_MS });
  await expect(fencedTransaction(idle, "decide", async () => undefined)).rejects.toBeInstanceOf(
    StaleLeaseError,
  );
});

/** Cuts the store off after the lease was taken: the first write goes through, no renewal does. */
function severableAfterStart(store: Store): Store {
  const link = severable(store);
  return {
    ...link.store,
    collection: <T extends Document>(name: string) => {
      const rows = link.store.collection<T>(name);
      return new Proxy(rows, {
        get(target, property) {
          const value: unknown = Reflect.get(target, property);
          if (property !== "insertOne" || typeof value !== "function") return value;
          return async (...args: unknown[]) => {
            const result: unknown = await value(...args);
            link.sever();
            return result;
          };
        },
      });
    },
  };
}
