import { setTimeout as delay } from "node:timers/promises";
import { isDomainError } from "@trainyard/domain";
import { isTransient } from "../client/call-error.ts";
import { exitCodes } from "../exit-codes.ts";
import { type Problem, Problems, problemLine } from "../moving/problems.ts";
import { RunWriter } from "../moving/run-writer.ts";
import type { Session } from "../session.ts";
import { errorText } from "../terminal/print-error.ts";
import { style } from "../terminal/style.ts";
import { safeText } from "../terminal/text.ts";
import { findRuns, noRuns } from "./local-run.ts";
import { type EndStatus, RunSync, type SyncDeps } from "./sync-run.ts";

/** How often a folder that is followed is looked at. */
const lookEveryMs = 300;

/** The options of `sync`. */
export interface SyncFlags {
  readonly follow?: boolean;
  readonly ended?: EndStatus;
}

/** What is told of one run. */
interface Told {
  readonly localRunId: string;
  readonly runId: string;
  points: number;
  files: number;
  ended: boolean;
  error?: string;
  problems: readonly Problem[];
}

/** Sends what was recorded without a platform; with --follow until every run in the folder has ended. */
export async function sync(session: Session, dir: string, flags: SyncFlags): Promise<number> {
  const interrupted = new AbortController();
  process.once("SIGINT", () => interrupted.abort());
  const syncer = new FolderSync(session, dir, flags, interrupted.signal);
  try {
    return await syncer.run();
  } catch (error) {
    if (!interrupted.signal.aborted) throw error;
    return exitCodes.interrupted;
  } finally {
    await syncer.close();
  }
}

class FolderSync {
  readonly #session: Session;
  readonly #dir: string;
  readonly #flags: SyncFlags;
  readonly #signal: AbortSignal;
  readonly #syncs = new Map<string, { readonly sync: RunSync; readonly problems: Problems }>();
  readonly #told = new Map<string, Told>();
  #isAway = false;

  constructor(session: Session, dir: string, flags: SyncFlags, signal: AbortSignal) {
    this.#session = session;
    this.#dir = dir;
    this.#flags = flags;
    this.#signal = signal;
  }

  async run(): Promise<number> {
    const follow = this.#flags.follow === true;
    if ((await findRuns(this.#dir)).length === 0 && !follow) throw noRuns(this.#dir);
    for (;;) {
      const isDone = await this.#look();
      if (!follow || isDone) break;
      await delay(lookEveryMs, undefined, { signal: this.#signal });
    }
    const told = [...this.#told.values()];
    if (this.#session.json) this.#session.print(JSON.stringify({ runs: told }, undefined, 2));
    return told.some(({ error }) => error !== undefined) ? exitCodes.failed : exitCodes.ok;
  }

  async close(): Promise<void> {
    for (const { sync } of this.#syncs.values()) await sync.close();
    this.#syncs.clear();
  }

  /** One look at the folder; gives whether there are runs and all of them are done with. */
  async #look(): Promise<boolean> {
    const runs = await findRuns(this.#dir);
    for (const run of runs) {
      this.#signal.throwIfAborted();
      const known = this.#told.get(run.runId);
      if (known !== undefined && (known.ended || known.error !== undefined)) continue;
      try {
        const { sync, problems } = this.#syncs.get(run.runId) ?? (await this.#begin(run));
        const passed = await sync.pass();
        this.#back();
        await this.#tell(sync, problems, passed);
      } catch (error) {
        if (this.#flags.follow === true && isTransient(error)) this.#away(error);
        else await this.#failed(run.runId, error);
      }
    }
    return runs.length > 0 && runs.every(({ runId }) => this.#isSettled(runId));
  }

  async #begin(run: Awaited<ReturnType<typeof findRuns>>[number]) {
    const clients = await this.#session.clients();
    const problems = new Problems();
    const deps: SyncDeps = {
      clients,
      writer: new RunWriter(clients, this.#session.address, problems),
      problems,
      signal: this.#signal,
      endedAs: this.#flags.ended,
    };
    const begun = { sync: await RunSync.begin(run, deps), problems };
    this.#syncs.set(run.runId, begun);
    return begun;
  }

  async #tell(
    sync: RunSync,
    problems: Problems,
    passed: Awaited<ReturnType<RunSync["pass"]>>,
  ): Promise<void> {
    const before = this.#told.get(sync.id);
    const told: Told = before ?? {
      localRunId: sync.id,
      runId: sync.runId ?? "",
      points: 0,
      files: 0,
      ended: false,
      problems: [],
    };
    told.points += passed.points;
    told.files += passed.files;
    told.ended = passed.ended;
    told.problems = problems.list();
    this.#told.set(sync.id, told);
    if (!passed.ended && this.#flags.follow === true) return;
    this.#say(told, passed.unknown);
    await sync.close();
    this.#syncs.delete(sync.id);
  }

  #say(told: Told, unknown: readonly number[]): void {
    const { points, files } = told;
    const what = points + files === 0 ? "nothing new" : `${points} points, ${files} files`;
    const state = told.ended ? style.good("ended") : "open";
    this.#session.say(`${told.localRunId} ${style.dim("→")} ${style.bold(told.runId)}  ${what}  ${state}`);
    for (const problem of told.problems)
      process.stderr.write(`${told.localRunId}: ${safeText(problemLine(problem))}\n`);
    if (unknown.length > 0)
      process.stderr.write(
        `${told.localRunId}: whether its processes still run cannot be seen from this machine; if they do not, end it by --ended failed (or completed, killed)\n`,
      );
  }

  async #failed(runId: string, error: unknown): Promise<void> {
    const { asDomainError } = await import("../client/as-domain-error.ts");
    const known = asDomainError(error, this.#session.url) ?? error;
    // One run's fault keeps no other from being sent; a platform that is away, or refuses the caller, keeps them all.
    if (this.#signal.aborted || !isDomainError(known) || known.code !== "failed_precondition") throw known;
    await this.#syncs.get(runId)?.sync.close();
    this.#syncs.delete(runId);
    const told = { localRunId: runId, runId: "", points: 0, files: 0, ended: false, problems: [] };
    this.#told.set(runId, { ...told, error: known.message });
    process.stderr.write(`${errorText(known)}\n`);
  }

  #isSettled(runId: string): boolean {
    const told = this.#told.get(runId);
    return told !== undefined && (told.ended || told.error !== undefined);
  }

  #away(error: unknown): void {
    if (!this.#isAway)
      process.stderr.write(
        `${safeText(String(error))}\nthe platform is away; sending goes on when it is back\n`,
      );
    this.#isAway = true;
  }

  #back(): void {
    if (this.#isAway) process.stderr.write("the platform is back\n");
    this.#isAway = false;
  }
}
