import { appendFile, open, readFile, stat } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import type { ProcessIdentity } from "../domain/exit-record.ts";
import { signalProcess } from "../ranks/processes.ts";
import type { Spool } from "../ranks/spool.ts";

/**
 * The signal on which a rank writes where it is, and the file it writes to: as `trainyard.runtime.stacks` has them. A
 * real-time signal, since programs use SIGUSR1 and SIGUSR2 for themselves (Lightning, SLURM).
 */
const STACK_SIGNAL = 42;
const STACK_FILE = "stacks.txt";
/** How long a rank may take: a handler in C writes it at once, unless the process is stopped or in the kernel. */
const WITHIN_MS = 3_000;
const LOOK_MS = 20;
/** It is whole when it has not grown for so long. */
const SETTLED_MS = 60;
/** Most of one rank's stacks, in bytes. */
export const MAX_STACK_BYTES = 32 * 1024;

/** Where a rank is; `problem` says why there is no text. */
export interface CapturedStack {
  readonly text: string;
  readonly problem: string;
}

/**
 * Asks a rank where it is. Sends the signal only to a process that handles it: any other would die of it. With `logAs`
 * the answer, or why there is none, is also appended to the rank's standard error, below that line.
 */
export async function captureStack(
  spool: Spool,
  rank: number,
  process: ProcessIdentity | undefined,
  logAs: string,
): Promise<CapturedStack> {
  const captured = await ask(spool.rankPath(rank, STACK_FILE), process);
  if (logAs !== "") {
    const said = captured.text === "" ? `${captured.problem}\n` : captured.text;
    // Appended as the rank itself appends, so it takes its place among the rank's lines.
    await appendFile(spool.rankPath(rank, "stderr.log"), `${oneLine(logAs)}\n${said}`).catch(() => undefined);
  }
  return captured;
}

async function ask(path: string, process: ProcessIdentity | undefined): Promise<CapturedStack> {
  if (process === undefined) return without("The rank does not run.");
  if (!(await handles(process.pid)))
    return without("The rank cannot be asked: it is not, or not yet, a Python program of the platform's.");
  const before = await sizeOf(path);
  if (!signalProcess(process, STACK_SIGNAL)) return without("The rank does not run any more.");
  const end = performance.now() + WITHIN_MS;
  let size = before;
  for (let since = performance.now(); performance.now() < end; ) {
    await delay(LOOK_MS);
    const now = await sizeOf(path);
    if (now !== size) [size, since] = [now, performance.now()];
    else if (size > before && performance.now() - since > SETTLED_MS) break;
  }
  if (size === before)
    return without(
      `The rank did not answer within ${WITHIN_MS / 1000} s: it is stopped, or waits in the kernel.`,
    );
  return { text: await read(path, before, size), problem: "" };
}

/** Whether the process has a handler for the signal. */
async function handles(pid: number): Promise<boolean> {
  const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
  const caught = /^SigCgt:\s*([0-9a-f]+)$/m.exec(status)?.[1];
  return caught !== undefined && ((BigInt(`0x${caught}`) >> BigInt(STACK_SIGNAL - 1)) & 1n) === 1n;
}

async function sizeOf(path: string): Promise<number> {
  return (await stat(path).catch(() => undefined))?.size ?? 0;
}

async function read(path: string, from: number, to: number): Promise<string> {
  const file = await open(path, "r");
  try {
    // The end of it, where the main thread is.
    const length = Math.min(to - from, MAX_STACK_BYTES);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, to - length);
    return buffer.toString("utf8", 0, bytesRead);
  } finally {
    await file.close();
  }
}

function without(problem: string): CapturedStack {
  return { text: "", problem };
}

function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, " ").slice(0, 512);
}
