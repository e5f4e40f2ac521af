import type { ProcessIdentity, RankExit, RankStart } from "../domain/exit-record.ts";
import type { ShimStart } from "../domain/launcher-rules.ts";
import { utf8Tail } from "../domain/utf8-tail.ts";
import { bury } from "./bury.ts";
import { readFileIfThere } from "./durable-file.ts";
import { findShimProcess, isAlive, killSession, signalProcess } from "./processes.ts";
import { HANDOVER_MS } from "./shim-spec.ts";
import type { Spool } from "./spool.ts";
import { type ShimCommand, startShim, type WarmStarter } from "./start-shim.ts";

/** How much longer than its grace the shim may take to end the ranks before the agent does it. */
const SHIM_MARGIN_MS = 10_000;
const SIGKILL = 9;
const SIGTERM = 15;

/** How a rank ended, with the end of what it said when it failed. */
export type EndedRank = RankExit & { readonly tracebackTail: string };

/** What a look at the ranks found. */
export type GangLook =
  | { readonly kind: "waiting" }
  | { readonly kind: "could_not_start"; readonly message: string }
  | { readonly kind: "ended" };

/** How the ranks are to end: with what they hold saved where it can be, or at once. */
export type StopOrder = "hand_over" | "stop";

export interface GangOptions {
  readonly spool: Spool;
  readonly ranks: readonly number[];
  readonly graceMs: number;
  readonly command: ShimCommand;
  readonly launcher: WarmStarter;
  readonly start: "warm" | "cold";
}

/**
 * The ranks of one attempt through its files: starts the shim once, finds it again after a restart, tells it to stop,
 * and closes the books when it has died. Every method may be repeated; all that is remembered only spares work.
 */
export class Gang {
  readonly starts = new Map<number, RankStart>();
  readonly exits = new Map<number, EndedRank>();
  readonly #options: GangOptions;
  #spawned = false;
  /** As it was last seen alive. */
  #shim: ProcessIdentity | undefined;
  #shimStart: ShimStart | undefined;
  #stopSinceMs: number | undefined;
  #stopTold: StopOrder | undefined;

  constructor(options: GangOptions) {
    this.#options = options;
  }

  /** How the shim was started; undefined when it was not by this agent. */
  get shimStart(): ShimStart | undefined {
    return this.#shimStart;
  }

  get allStarted(): boolean {
    return this.#options.ranks.every((rank) => this.starts.has(rank));
  }

  get anyFailed(): boolean {
    return [...this.exits.values()].some(({ code, signal }) => code !== 0 || signal !== 0);
  }

  /** Reads what the shim has written, and does what is due. `stopping` says whether and how the ranks shall end. */
  async look(stopping: StopOrder | undefined): Promise<GangLook> {
    const { spool, ranks } = this.#options;
    const done = spool.done;
    await this.readRecords();
    if (done) {
      this.#completeExits();
      return { kind: "ended" };
    }
    // Its file is read again only when that process is gone.
    const known = this.#shim !== undefined && isAlive(this.#shim);
    const shim = known ? this.#shim : await spool.shim();
    if (shim === undefined) return this.#withoutShim(stopping !== undefined);
    this.#shim = shim;
    if (known || isAlive(shim)) {
      if (stopping !== undefined) this.#stop(shim, stopping);
      return { kind: "waiting" };
    }
    // It may have finished between the look at its last file and the look at its process.
    if (!spool.done) await bury(spool, ranks, { signal: SIGKILL, reason: "lost", now: Date.now });
    return { kind: "waiting" };
  }

  /** No shim has said that it is there: none was started, or one is just starting, or it could not. */
  async #withoutShim(stopping: boolean): Promise<GangLook> {
    const { spool, ranks, command, launcher, start } = this.#options;
    if (stopping) await spool.retractSpec();
    if (findShimProcess(spool.dir) !== undefined) return { kind: "waiting" };
    // It may have written its file between the first look and this one.
    if ((await spool.shim()) !== undefined) return { kind: "waiting" };
    if (stopping) {
      await bury(spool, ranks, { signal: SIGTERM, reason: "stopped", now: Date.now });
      return { kind: "waiting" };
    }
    if (this.#spawned) return { kind: "could_not_start", message: await this.#shimsLastWords() };
    try {
      this.#spawned = true;
      const python = (await spool.rankPython()) ?? command.python;
      this.#shimStart = await startShim(spool, command, launcher, { start, python });
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      return { kind: "could_not_start", message: `The interpreter ${command.python} cannot be run: ${why}.` };
    }
    return { kind: "waiting" };
  }

  #stop(shim: Parameters<typeof signalProcess>[0], order: StopOrder): void {
    // A gang that has lost a rank is told to stop while its survivors save its state.
    const limitMs = this.#options.graceMs + HANDOVER_MS + SHIM_MARGIN_MS;
    this.#stopSinceMs ??= performance.now();
    if (this.#stopTold !== order) {
      this.#stopTold = order;
      // SIGURG lets the shim know that a rank on another node has failed, as it would learn of one of its own.
      signalProcess(shim, order === "stop" ? "SIGTERM" : "SIGURG");
    } else if (performance.now() - this.#stopSinceMs > limitMs) {
      // The shim hangs. Its ranks die with it; their helpers are in the ranks' sessions.
      signalProcess(shim, "SIGKILL");
      for (const start of this.starts.values()) killSession(start);
    }
  }

  /** Reads what the ranks' records say by now, and does nothing else. */
  async readRecords(): Promise<void> {
    const { spool, ranks } = this.#options;
    for (const rank of ranks) {
      if (!this.starts.has(rank)) {
        const start = await spool.rankStart(rank);
        if (start !== undefined) this.starts.set(rank, start);
      }
      if (!this.exits.has(rank)) {
        const exit = await spool.rankExit(rank);
        const failed = exit !== undefined && (exit.code !== 0 || exit.signal !== 0);
        if (exit !== undefined) {
          this.exits.set(rank, { ...exit, tracebackTail: failed ? await spool.tracebackTail(rank) : "" });
        }
      }
    }
  }

  /** A rank whose exit record cannot be read (its own process may have spoilt it) counts as killed. */
  #completeExits(): void {
    for (const rank of this.#options.ranks) {
      if (this.exits.has(rank)) continue;
      const order = this.exits.size + 1;
      this.exits.set(rank, { code: 0, signal: SIGKILL, atMs: Date.now(), order, tracebackTail: "" });
    }
  }

  async #shimsLastWords(): Promise<string> {
    const log = await readFileIfThere(this.#options.spool.path("shim.log"), 2048);
    const words = log === undefined ? "" : utf8Tail(log, 2048).trim();
    return `The launcher of the ranks ended at once${words === "" ? "." : `: ${words}`}`;
  }
}
