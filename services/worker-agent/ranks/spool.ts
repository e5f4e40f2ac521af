import { existsSync } from "node:fs";
import { rename } from "node:fs/promises";
import { join } from "node:path";
import { MAX_TAIL_BYTES, tracebackFrom } from "../domain/error-file.ts";
import {
  exitFrom,
  identityFrom,
  type ProcessIdentity,
  type RankExit,
  type RankStart,
  startFrom,
} from "../domain/exit-record.ts";
import type { NonFinite } from "../domain/non-finite.ts";
import { redact } from "../domain/redact.ts";
import { utf8Tail } from "../domain/utf8-tail.ts";
import { secretValues } from "../prepare/place-secrets.ts";
import { readFileIfThere, readJsonIfThere, writeDurably } from "./durable-file.ts";

/** Why an attempt's ranks were told to end; kept, so that a restarted agent goes on telling them. */
export type StopReason = "requested" | "gang_failed" | "fenced" | "cut_off" | "agent_stopped" | "non_finite";

/** Why an attempt could not start. */
export interface StartFailure {
  readonly reason:
    | "CODE_FETCH_FAILED"
    | "DATA_FETCH_FAILED"
    | "CHECKPOINT_FETCH_FAILED"
    | "SECRET_FETCH_FAILED"
    | "START_FAILED"
    | "PYTHON_ENVIRONMENT_FAILED"
    | "PYTHON_PACKAGES_UNREACHABLE";
  /** One sentence for people. */
  readonly message: string;
  /** The end of what the failed step printed; empty when it printed nothing. */
  readonly tail?: string;
}

/** A name of `sdk/python/trainyard/runtime/waited_in_vain.py`. */
const TIMED_OUT_MARK = "collective-timed-out";
/** Most bytes of `error.json` that are read. */
const MAX_ERROR_FILE_BYTES = 1024 * 1024;

/**
 * The directory of one attempt: all that the agent, the shim and the ranks know of it, so that each may die and the
 * others go on. Marker files stand for steps that cannot be taken back; each is written before what follows from it.
 */
export class Spool {
  readonly dir: string;

  constructor(dir: string) {
    this.dir = dir;
  }

  path(...parts: readonly string[]): string {
    return join(this.dir, ...parts);
  }

  rankPath(rank: number, file: string): string {
    return join(this.dir, `rank-${rank}`, file);
  }

  get exists(): boolean {
    return existsSync(this.path(ASSIGNMENT_FILE));
  }

  /** Whether the ranks could be started from it: it was made whole under another name and then renamed. */
  get prepared(): boolean {
    return existsSync(this.path("spec.json")) || existsSync(this.path("spec.retracted.json"));
  }

  /** Takes the shim's input away, so that one that was started but has not read it yet starts nothing. */
  async retractSpec(): Promise<void> {
    if (existsSync(this.path("spec.json")))
      await rename(this.path("spec.json"), this.path("spec.retracted.json"));
  }

  get done(): boolean {
    return existsSync(this.path("done.json"));
  }

  async markDone(reason: string, atMs: number): Promise<void> {
    await writeDurably(this.path("done.json"), JSON.stringify({ at: atMs / 1000, reason }));
  }

  get finalized(): boolean {
    return existsSync(this.path("finalized.json"));
  }

  async markFinalized(atMs: number): Promise<void> {
    await writeDurably(this.path("finalized.json"), JSON.stringify({ at: atMs / 1000 }));
  }

  get stopAsked(): boolean {
    return existsSync(this.path("stop.json"));
  }

  /** Whether a rank has waited in a collective until it timed out: its wrapper leaves a mark before it exits or hands over. */
  get collectiveTimedOut(): boolean {
    return existsSync(this.path(TIMED_OUT_MARK));
  }

  /** Why the ranks were told to end; undefined when they were not. */
  async stopReason(): Promise<StopReason | undefined> {
    // Written below only.
    const asked = (await readJsonIfThere(this.path("stop.json"))) as
      | { readonly reason: StopReason }
      | undefined;
    return asked?.reason;
  }

  async markStop(reason: StopReason, atMs: number): Promise<void> {
    if (!this.stopAsked)
      await writeDurably(this.path("stop.json"), JSON.stringify({ at: atMs / 1000, reason }));
  }

  /** The point that halted the run, once the attempt is over; until then the records tell it. */
  async halted(): Promise<NonFinite | undefined> {
    // Written below only; JSON has no word for what is not finite.
    const found = (await readJsonIfThere(this.path("halted.json"))) as
      | (Omit<NonFinite, "value"> & { readonly value: string })
      | undefined;
    return found === undefined ? undefined : { ...found, value: Number(found.value) };
  }

  async markHalted(halted: NonFinite): Promise<void> {
    await writeDurably(this.path("halted.json"), JSON.stringify({ ...halted, value: String(halted.value) }));
  }

  /** Asks the ranks for a checkpoint at this step; they look at the file before each step. */
  async askCheckpoint(step: number): Promise<void> {
    await writeDurably(this.path("checkpoint-at"), String(step));
  }

  async failure(): Promise<StartFailure | undefined> {
    // Written below only.
    return (await readJsonIfThere(this.path("failed.json"))) as StartFailure | undefined;
  }

  async markFailed(failure: StartFailure): Promise<void> {
    await writeDurably(this.path("failed.json"), JSON.stringify(failure));
  }

  /** The interpreter that the ranks run under; undefined before it is decided. */
  async rankPython(): Promise<string | undefined> {
    const spec = await readJsonIfThere(this.path("spec.json"));
    return typeof spec === "object" && spec !== null && "python" in spec && typeof spec.python === "string"
      ? spec.python
      : undefined;
  }

  async shim(): Promise<ProcessIdentity | undefined> {
    return identityFrom(await readJsonIfThere(this.path("shim.json")));
  }

  async rankStart(rank: number): Promise<RankStart | undefined> {
    return startFrom(await readJsonIfThere(this.rankPath(rank, "started.json")));
  }

  async rankExit(rank: number): Promise<RankExit | undefined> {
    return exitFrom(await readJsonIfThere(this.rankPath(rank, "exit.json")));
  }

  /** The end of what a failed rank said: its traceback, else its standard error; without what is secret. */
  async tracebackTail(rank: number): Promise<string> {
    const said = new TextEncoder().encode(await this.#lastWords(rank));
    return new TextDecoder().decode(redact(said, await secretValues(this.dir)));
  }

  async #lastWords(rank: number): Promise<string> {
    const error = await readFileIfThere(this.rankPath(rank, "error.json"), MAX_ERROR_FILE_BYTES);
    const traceback = error === undefined ? undefined : tracebackFrom(new TextDecoder().decode(error));
    if (traceback !== undefined) return traceback;
    const stderr = await readFileIfThere(this.rankPath(rank, "stderr.log"), MAX_TAIL_BYTES);
    return stderr === undefined ? "" : utf8Tail(stderr, MAX_TAIL_BYTES);
  }
}

/** Holds the assignment as it was received; its presence makes a directory an attempt's. */
export const ASSIGNMENT_FILE = "assignment.bin";
