import { mkdir, readdir } from "node:fs/promises";
import { join, relative } from "node:path";
import { Code, ConnectError } from "@connectrpc/connect";
import { tracking } from "@trainyard/contracts";
import { DomainError, isDomainError } from "@trainyard/domain";
import { crashPoint } from "@trainyard/failpoint";
import { RecordReader } from "@trainyard/rank-file";
import type { Clients } from "../client/clients.ts";
import { environmentPath } from "../compare/run-facts.ts";
import { type FileLock, lockFile } from "../lock/lock-file.ts";
import type { Problems } from "../moving/problems.ts";
import { type RunWriter, sourceRunTag } from "../moving/run-writer.ts";
import { hashFile } from "../pack/hash-file.ts";
import { type LocalRecord, paramsAsText } from "./local-record.ts";
import { fileInside, type LocalRun, ranksOf, writerOf } from "./local-run.ts";
import { readChunk } from "./read-chunk.ts";
import { type RankEnd, type RankState, readSyncState, type SyncState, saveSyncState } from "./sync-state.ts";

const { RunStatus } = tracking;

/** How long a run may be silent between two syncs before the platform takes its owner for lost. */
const idleLimitSeconds = 14 * 24 * 60 * 60;
/** How often a run that is followed says that it is alive when it has nothing else to say. */
const heartbeatEveryMs = 60_000;

const statuses = {
  completed: RunStatus.COMPLETED,
  failed: RunStatus.FAILED,
  killed: RunStatus.KILLED,
} as const;

export type EndStatus = keyof typeof statuses;

/** What one pass over a run did. */
export interface Passed {
  readonly points: number;
  readonly files: number;
  readonly ended: boolean;
  /** The ranks whose end nobody knows: their processes ran on another host and said nothing. */
  readonly unknown: readonly number[];
}

/** What syncing needs. */
export interface SyncDeps {
  readonly clients: Clients;
  readonly writer: RunWriter;
  readonly problems: Problems;
  readonly signal: AbortSignal;
  /** How ranks ended that cannot be asked. */
  readonly endedAs: EndStatus | undefined;
}

/**
 * Sends one recorded run, as often as it is asked: each pass sends what was recorded since. How far it has come is kept in the
 * run's folder. What is about to be sent is written down first, and sent again as exactly that after a crash, so that the
 * platform recognises it by its request id; records of other kinds may be sent twice without effect.
 */
export class RunSync {
  readonly #run: LocalRun;
  readonly #deps: SyncDeps;
  readonly #lock: FileLock;
  readonly #readers = new Map<number, RecordReader>();
  #state: SyncState | undefined;
  #spokeAtMs = 0;

  private constructor(run: LocalRun, deps: SyncDeps, lock: FileLock) {
    this.#run = run;
    this.#deps = deps;
    this.#lock = lock;
  }

  /** Takes the run's folder for this process. Throws SYNC_IN_PROGRESS while another one sends it. */
  static async begin(run: LocalRun, deps: SyncDeps): Promise<RunSync> {
    await mkdir(join(run.dir, "sync"), { recursive: true, mode: 0o700 });
    const lock = lockFile(join(run.dir, "sync", "lock"), (holder) => inProgress(run, holder?.pid));
    const sync = new RunSync(run, deps, lock);
    try {
      sync.#state = await readSyncState(run);
      return sync;
    } catch (error) {
      lock.release();
      throw error;
    }
  }

  get id(): string {
    return this.#run.runId;
  }

  /** The run on the platform; undefined before the first pass. */
  get runId(): string | undefined {
    return this.#state?.runId;
  }

  /** Sends what there is. */
  async pass(): Promise<Passed> {
    const state = await this.#opened();
    if (state.ended) return { points: 0, files: 0, ended: true, unknown: [] };
    const sent = { points: 0, files: 0 };
    const ranks = await ranksOf(this.#run);
    // Asked before reading, so that what was written last is read before a writer counts as gone.
    const writers = new Map(
      await Promise.all(ranks.map(async (rank) => [rank, await writerOf(this.#run, rank)] as const)),
    );
    for (const rank of ranks) await this.#sendRank(state, rank, sent);
    const ends = new Map<number, RankEnd>();
    for (const rank of ranks) {
      const end = state.ranks[String(rank)]?.end ?? this.#endFound(writers.get(rank));
      if (end !== undefined) ends.set(rank, end);
    }
    if (this.#isOver(ranks.length, [...ends.values()])) await this.#end(state, [...ends.values()]);
    else await this.#heartbeat(state, sent.points + sent.files > 0);
    const unknown = ranks.filter((rank) => !ends.has(rank) && writers.get(rank) === "unknown");
    return { ...sent, ended: state.ended, unknown };
  }

  /** How a rank ended that has not said so. */
  #endFound(writer: "alive" | "gone" | "unknown" | undefined): RankEnd | undefined {
    if (writer === "gone") return gone;
    const { endedAs } = this.#deps;
    if (writer !== "unknown" || endedAs === undefined) return undefined;
    return { status: endedAs, atMs: 0, message: "" };
  }

  /** Every rank that recorded has ended, and none is still to begin: unless one failed, which ends them all. */
  #isOver(ranks: number, ends: readonly RankEnd[]): boolean {
    if (ranks === 0 || ends.length < ranks) return false;
    return (
      ranks >= this.#run.worldSize ||
      this.#deps.endedAs !== undefined ||
      ends.some(({ status }) => status !== "completed")
    );
  }

  async close(): Promise<void> {
    await Promise.all([...this.#readers.values()].map((reader) => reader.close()));
    this.#lock.release();
  }

  /** The state, with the run on the platform open for more. */
  async #opened(): Promise<SyncState> {
    const known = this.#state;
    if (known !== undefined) {
      if (!known.ended && this.#spokeAtMs === 0) await this.#resume(known.runId);
      return known;
    }
    const { runId, experiment, name, createdAt } = this.#run;
    const { run, isNew } = await this.#deps.writer.open({
      source: { kind: "offline", runId },
      experiment,
      name,
      startedAtMs: createdAt * 1000,
      idleLimitSeconds,
    });
    if (!isNew && Object.keys(run.metrics).length > 0) throw stateMissing(this.#run, run.id);
    crashPoint("sync.run.opened");
    this.#state = { schema: 1, runId: run.id, ranks: {}, ended: false };
    await saveSyncState(this.#run, this.#state);
    return this.#state;
  }

  /** A run whose owner was taken for lost in the meantime goes on. Throws SYNCED_ELSEWHERE when this platform does not have it. */
  async #resume(runId: string): Promise<void> {
    const run = await this.#deps.clients.tracking.getRun({ runId }).then(
      (answer) => answer.run,
      (error: unknown) => {
        if (ConnectError.from(error).code === Code.NotFound) return undefined;
        throw error;
      },
    );
    if (run?.tags[sourceRunTag] !== this.#run.runId) throw elsewhere(this.#run);
    const isFinal = run.status !== RunStatus.RUNNING && run.status !== RunStatus.QUEUED;
    if (isFinal) await this.#deps.writer.status(runId, RunStatus.RUNNING);
    this.#spokeAtMs = Date.now();
  }

  async #sendRank(state: SyncState, rank: number, sent: { points: number; files: number }): Promise<void> {
    const key = String(rank);
    state.ranks[key] ??= { offset: 0 };
    const at: RankState = state.ranks[key];
    try {
      while (await this.#sendChunk(state, rank, at, sent)) this.#deps.signal.throwIfAborted();
    } catch (error) {
      // It has read further than was sent: the next pass reads anew from where sending stands.
      await this.#readers.get(rank)?.close();
      this.#readers.delete(rank);
      throw error;
    }
  }

  /** Gives whether there was anything to send. */
  async #sendChunk(
    state: SyncState,
    rank: number,
    at: RankState,
    sent: { points: number; files: number },
  ): Promise<boolean> {
    const chunk = await readChunk(this.#readerOf(rank, at.offset), at.sending, this.#deps.problems);
    if (chunk.end === chunk.begin) return false;
    at.sending = chunk.end;
    await saveSyncState(this.#run, state);
    crashPoint("sync.chunk.begun");
    for (const { record } of chunk.records) sent.files += await this.#send(state.runId, at, record);
    crashPoint("sync.records.sent");
    const place = ["offline", this.#run.runId, String(rank), `${chunk.begin}-${chunk.end}`];
    sent.points += await this.#deps.writer.points(state.runId, chunk.points.columns, ...place);
    crashPoint("sync.points.sent");
    at.offset = chunk.end;
    delete at.sending;
    await saveSyncState(this.#run, state);
    this.#spokeAtMs = Date.now();
    return true;
  }

  #readerOf(rank: number, offset: number): RecordReader {
    const known = this.#readers.get(rank);
    if (known !== undefined) return known;
    const reader = new RecordReader(join(this.#run.dir, `rank-${rank}`, "records.bin"), offset);
    this.#readers.set(rank, reader);
    return reader;
  }

  /** Sends what one record says; gives how many files went. */
  async #send(runId: string, at: RankState, record: LocalRecord): Promise<number> {
    const { writer } = this.#deps;
    switch (record.kind) {
      case "params":
        await writer.params(runId, paramsAsText(record.params));
        return 0;
      case "tags":
        await writer.tags(runId, record.tags);
        return 0;
      case "note":
        await writer.annotation(runId, record, String(record.at));
        return 0;
      case "environment":
        return Number(
          await writer.bytes(runId, environmentPath, Buffer.from(JSON.stringify(record.environment))),
        );
      case "artifact":
        return this.#sendFiles(runId, record.path, record.file);
      case "model":
        return this.#sendFiles(
          runId,
          record.name === "model" ? "model" : `models/${record.name}`,
          record.dir,
        );
      case "end":
        at.end = { status: record.status, atMs: record.at * 1000, message: record.message };
        return 0;
    }
  }

  async #sendFiles(runId: string, name: string, path: string): Promise<number> {
    let sent = 0;
    try {
      const { file, isFolder } = await fileInside(this.#run, path);
      for (const one of isFolder ? await filesBelow(file) : [file]) {
        this.#deps.signal.throwIfAborted();
        const { digest, sizeBytes } = await hashFile(one);
        const artifact = isFolder ? `${name}/${relative(file, one)}` : name;
        const blob = { digest, sizeBytes, content: { file: one } };
        sent += Number(await this.#deps.writer.artifact(runId, artifact, blob));
      }
    } catch (error) {
      if (!isDomainError(error) || !/^FILE_/.test(error.reason)) throw error;
      this.#deps.problems.add(`file ${name}`, error.message);
    }
    return sent;
  }

  async #end(state: SyncState, ends: readonly RankEnd[]): Promise<void> {
    const worst =
      ends.find(({ status }) => status === "failed") ?? ends.find(({ status }) => status === "killed");
    const told = worst ?? ends[0] ?? gone;
    const { writer } = this.#deps;
    if (told.message !== "") await writer.tags(state.runId, { "trainyard.end_message": told.message });
    const atMs = Math.max(...ends.map(({ atMs }) => atMs));
    await writer.status(state.runId, statuses[told.status], atMs > 0 ? atMs : undefined);
    crashPoint("sync.end.sent");
    state.ended = true;
    await saveSyncState(this.#run, state);
  }

  async #heartbeat(state: SyncState, spoke: boolean): Promise<void> {
    if (spoke || Date.now() - this.#spokeAtMs < heartbeatEveryMs) return;
    await this.#deps.clients.runs.heartbeatRun({ runId: state.runId });
    this.#spokeAtMs = Date.now();
  }
}

const gone: RankEnd = {
  status: "failed",
  atMs: 0,
  message: "its process ended without saying how: it was killed, or its machine went down",
};

async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

function inProgress(run: LocalRun, pid: number | undefined): DomainError {
  const who = pid === undefined ? "another process" : `process ${pid}`;
  return new DomainError(
    "failed_precondition",
    "SYNC_IN_PROGRESS",
    `${who} sends ${run.dir} already; wait for it, or stop it`,
  );
}

function elsewhere(run: LocalRun): DomainError {
  return new DomainError(
    "failed_precondition",
    "SYNCED_ELSEWHERE",
    `${run.dir} was sent to another platform, or its run was deleted here; to send it whole to this one, remove ${join(run.dir, "sync")}`,
  );
}

function stateMissing(run: LocalRun, runId: string): DomainError {
  return new DomainError(
    "failed_precondition",
    "SYNC_STATE_MISSING",
    `${run.runId} was sent as ${runId} before, and ${join(run.dir, "sync")} does not say how far: it was sent from another copy of this folder. Send that copy, or delete ${runId} and send this one.`,
  );
}
