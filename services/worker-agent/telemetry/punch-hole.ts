import { spawn } from "node:child_process";
import { once } from "node:events";
import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { text } from "node:stream/consumers";
import type { Hole } from "../domain/log-holes.ts";

/** What a file occupies on the disk, where it is longer than that: it has holes. */
export interface FileOnDisk {
  readonly size: number;
  readonly allocatedBytes: number;
}

const BLOCK_BYTES = 512;

/**
 * Gives parts of a file back to the disk; its length and all offsets stay, and reading there gives zeros. Only a plain file
 * that has no other name is touched: a rank could put a link to any file of the node in its place. Rejects where the
 * file system cannot do it, or there is no fallocate(1).
 */
export async function punchHoles(path: string, holesOf: (size: number) => readonly Hole[]): Promise<void> {
  const file = await openOwn(path);
  if (file === undefined) return;
  try {
    for (const { begin, end } of holesOf((await file.stat()).size)) {
      const range = ["--offset", String(begin), "--length", String(end - begin)];
      const child = spawn("fallocate", ["--punch-hole", ...range, "/proc/self/fd/3"], {
        stdio: ["ignore", "ignore", "pipe", file.fd],
      });
      const said = child.stderr === null ? Promise.resolve("") : text(child.stderr);
      const [code] = (await once(child, "close")) as [number | null];
      if (code !== 0) throw new Error(`fallocate: ${(await said).trim() || `it ended with ${code}`}`);
    }
  } finally {
    await file.close();
  }
}

/** What the file occupies; nothing when there is no such file. */
export async function onDisk(path: string): Promise<FileOnDisk> {
  const file = await openOwn(path);
  if (file === undefined) return { size: 0, allocatedBytes: 0 };
  try {
    const { size, blocks } = await file.stat();
    return { size, allocatedBytes: blocks * BLOCK_BYTES };
  } finally {
    await file.close();
  }
}

async function openOwn(path: string) {
  const flags = constants.O_RDWR | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const file = await open(path, flags).catch(() => undefined);
  const found = await file?.stat();
  if (file === undefined || (found?.isFile() === true && found.nlink === 1)) return file;
  await file.close();
  return undefined;
}
