import { execFileSync } from "node:child_process";
import { closeSync, mkdirSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { atFileEnd } from "./cleanup.ts";

/** A folder on a disk of its own, which can be filled to the last byte. */
export interface SmallDisk {
  readonly dir: string;
  /** Takes all that is free on it. */
  fill(): void;
  /** Gives it back. */
  free(): void;
  /** Takes the disk away with all that is on it; whatever still has a file open there keeps that. */
  remove(): void;
}

const MIB = 1024 * 1024;

/** Mounts a disk of so many MiB (in memory) over the folder, gone when the test file ends. Takes the right to mount. */
export function smallDisk(dir: string, mebibytes: number): SmallDisk {
  mkdirSync(dir, { recursive: true });
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", `size=${mebibytes}m,mode=700`, "tmpfs", dir], {
      stdio: "pipe",
    });
  } catch (cause) {
    throw new Error("`mount` failed: a disk of its own takes root", { cause });
  }
  let mounted = true;
  const remove = () => {
    if (mounted) execFileSync("umount", ["--lazy", dir]);
    mounted = false;
  };
  atFileEnd(remove);
  const ballast = join(dir, "ballast");
  return {
    dir,
    fill() {
      const file = openSync(ballast, "a");
      try {
        for (const size of [MIB, 4096, 1]) while (hasRoom(file, size));
      } finally {
        closeSync(file);
      }
    },
    free: () => rmSync(ballast, { force: true }),
    remove,
  };
}

function hasRoom(file: number, size: number): boolean {
  try {
    return writeSync(file, Buffer.alloc(size)) === size;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOSPC") return false;
    throw error;
  }
}
