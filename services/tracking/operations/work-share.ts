import { setTimeout as delay } from "node:timers/promises";
import type { Part } from "@trainyard/service";
import type { Deps } from "../deps.ts";
import { ownerOf } from "../domain/rendezvous.ts";
import { BEAT_MS, look, type Sights, sharing } from "../domain/replicas.ts";

/** What of the work is this replica's. */
export interface WorkShare extends Part {
  /** Whether it is the one for this item; until others are known, for all. */
  isMine(item: string): boolean;
  /** Calls back now, and whenever another replica has come or gone. */
  whenChanged(listener: () => void): void;
}

/**
 * Shares work among the replicas that beat. That two disagree for a moment does no harm: what they do for a run is a
 * transaction, of which one wins; sharing only spares double work.
 */
export function workShare(deps: Pick<Deps, "records" | "logger">): WorkShare {
  const { metricWorkers } = deps.records;
  const { self } = metricWorkers;
  const stopping = new AbortController();
  const listeners: (() => void)[] = [];
  let sights: Sights | undefined;
  let members: readonly string[] = [self];
  let loop: Promise<void> | undefined;

  async function beat(): Promise<void> {
    try {
      const beats = await metricWorkers.beat();
      const nowMs = performance.now();
      sights = look(sights, beats, nowMs);
      become(sharing(sights, self, nowMs));
    } catch (error) {
      deps.logger.warn({ err: error }, "the other replicas could not be looked up; trying on");
    }
  }

  function become(next: readonly string[]): void {
    const before = members;
    members = next;
    if (next.length === before.length && next.every((id) => before.includes(id))) return;
    deps.logger.info({ replicas: next.length }, "work is shared anew");
    for (const listener of listeners) listener();
  }

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      await delay(BEAT_MS, undefined, { signal: stopping.signal }).catch(() => undefined);
      if (!stopping.signal.aborted) await beat();
    }
  }

  return {
    name: "work share",
    isMine: (item) => ownerOf(item, members) === self,
    whenChanged(listener) {
      listeners.push(listener);
      listener();
    },
    async start() {
      await beat();
      loop ??= run();
    },
    async stop() {
      stopping.abort();
      await loop;
      await metricWorkers.leave().catch(() => undefined);
    },
  };
}
