import { lstat, mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir, userInfo } from "node:os";
import { basename, join } from "node:path";
import type { Part } from "@trainyard/service";

/** Where registrations keep their files while they run: one folder for each, gone when it ends. */
export interface WorkFolder extends Part {
  /** Runs `fn` with a fresh private folder and removes it afterwards, whatever happened. */
  use<T>(fn: (dir: string) => Promise<T>): Promise<T>;
}

/** Folders of this process that are in use: what a sweep must leave alone. */
const inUse = new Set<string>();

/** The work folder at this path. Starting it sweeps what dead processes have left. */
export function workFolder(path: string = join(tmpdir(), `trainyard-dataset-${userInfo().uid}`)): WorkFolder {
  return {
    name: "work folder",
    async start() {
      await mkdir(path, { recursive: true, mode: 0o700 });
      await assertOwn(path);
      for (const name of await readdir(path)) {
        if (isLeftOver(name)) await rm(join(path, name), { recursive: true, force: true });
      }
    },
    stop: async () => undefined,
    async use(fn) {
      const dir = await mkdtemp(join(path, `${process.pid}-`));
      inUse.add(basename(dir));
      try {
        return await fn(dir);
      } finally {
        await rm(dir, { recursive: true, force: true, maxRetries: 3 });
        inUse.delete(basename(dir));
      }
    },
  };
}

/** In a folder that everybody may write to, somebody else could have made ours. */
async function assertOwn(path: string): Promise<void> {
  const info = await lstat(path);
  if (info.isDirectory() && info.uid === userInfo().uid && (info.mode & 0o022) === 0) return;
  throw new Error(
    `The work folder ${path} must be a folder of this user that nobody else may write to; set TRAINYARD_DATASET_WORK_DIR to another.`,
  );
}

/** Folders are named after the process that made them; one that has died has left its own behind. */
function isLeftOver(name: string): boolean {
  const pid = Number(/^(\d+)-/.exec(name)?.[1] ?? "0");
  if (pid === 0 || inUse.has(name)) return false;
  return pid === process.pid || !isAlive(pid);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // Not allowed to signal it means that it is there.
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}
