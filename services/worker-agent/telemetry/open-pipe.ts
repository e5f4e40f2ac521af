import { constants } from "node:fs";
import { type FileHandle, open, readlink, realpath } from "node:fs/promises";
import { resolve, sep } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { UnusableFileError } from "./open-inside.ts";

/** How long the rank has to write more before it is looked again: a pipe holds as much as is written meanwhile. */
const LOOK_INTERVAL_MS = 1;
/** The same while it has not begun. */
const BEGIN_INTERVAL_MS = 20;

/** A file that a rank serves from its memory, by a named pipe inside the attempt's directory. */
export interface ServedFile {
  readonly folder: string;
  readonly path: string;
  readonly sizeBytes: number;
  /** Whether nobody will write any more: every process of the attempt is dead. */
  readonly ended: () => boolean;
  readonly signal: AbortSignal;
}

/** The reading end of a pipe, of which there are as many bytes as the rank has said: it may begin anew behind them. */
export interface Pipe {
  /**
   * Fills the buffer with the next bytes. Throws `UnusableFileError` when there are fewer: the rank is gone; and the abort
   * signal's reason.
   */
  fill(buffer: Uint8Array): Promise<void>;
  close(): Promise<void>;
}

/** Opens a pipe without waiting for its rank. Throws `UnusableFileError` when there is none inside the folder. */
export async function openPipe(file: ServedFile): Promise<Pipe> {
  const handle = await openReading(file);
  let taken = 0;
  const wait = async (bytesRead: number | undefined) => {
    // Nothing to read: the rank is slow. The end: nobody has the other end open.
    const isEnd = bytesRead === 0;
    if (isEnd && (taken > 0 || file.ended())) throw new UnusableFileError(endedEarly(file, taken));
    await delay(isEnd ? BEGIN_INTERVAL_MS : LOOK_INTERVAL_MS, undefined, { signal: file.signal });
  };
  return {
    async fill(buffer) {
      for (let filled = 0; filled < buffer.byteLength; ) {
        file.signal.throwIfAborted();
        const bytesRead = await readSome(handle, buffer, filled);
        if (bytesRead === undefined || bytesRead === 0) await wait(bytesRead);
        filled += bytesRead ?? 0;
        taken += bytesRead ?? 0;
      }
    },
    close: () => handle.close(),
  };
}

/** Reads what is there: `undefined` when nothing is yet, 0 when nobody writes. */
async function readSome(handle: FileHandle, buffer: Uint8Array, at: number): Promise<number | undefined> {
  try {
    return (await handle.read(buffer, at, buffer.byteLength - at, null)).bytesRead;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EAGAIN") return undefined;
    throw error;
  }
}

function endedEarly({ path, sizeBytes }: ServedFile, taken: number): string {
  return `${JSON.stringify(path.slice(0, 200))} ended after ${taken} of ${sizeBytes} bytes: its rank is gone`;
}

async function openReading({ folder, path }: ServedFile): Promise<FileHandle> {
  if (path.includes("\0")) throw new UnusableFileError("its path holds a zero byte");
  const named = JSON.stringify(path.slice(0, 200));
  let handle: FileHandle;
  try {
    handle = await open(resolve(folder, path), constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (cause) {
    throw new UnusableFileError(`the pipe ${named} cannot be opened`, { cause });
  }
  const real = await readlink(`/proc/self/fd/${handle.fd}`);
  if (real.startsWith(`${await realpath(folder)}${sep}`) && (await handle.stat()).isFIFO()) return handle;
  await handle.close();
  throw new UnusableFileError(`${named} is no pipe in the attempt's directory`);
}
