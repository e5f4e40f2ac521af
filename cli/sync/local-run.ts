import { lstat, readdir, realpath } from "node:fs/promises";
import { hostname } from "node:os";
import { join, resolve, sep } from "node:path";
import { DomainError, isId } from "@trainyard/domain";
import { isRunning } from "@trainyard/local";
import { z } from "zod";
import { readState } from "../moving/state-file.ts";

const facts = z.object({
  schema: z.literal(1),
  runId: z.string().refine((id) => isId("run", id), "is no run's id"),
  experiment: z.string(),
  name: z.string(),
  createdAt: z.number(),
  worldSize: z.int().min(1).max(65_536),
});

const writer = z.object({ host: z.string(), pid: z.int(), startedAt: z.string() });

/** A run recorded without a platform. */
export interface LocalRun extends z.infer<typeof facts> {
  readonly dir: string;
}

/**
 * The runs in a folder: itself, when it is one's folder, else the run folders in it, by id (and so by age). Throws
 * NO_OFFLINE_RUNS when there is no such folder or none in it.
 */
export async function findRuns(dir: string): Promise<LocalRun[]> {
  const root = resolve(dir);
  const own = await readRun(root);
  if (own !== undefined) return [own];
  const names = await readdir(root).catch(() => []);
  const found = await Promise.all(
    names
      .filter((name) => name.startsWith("run_"))
      .sort()
      .map((name) => readRun(join(root, name))),
  );
  return found.filter((run) => run !== undefined);
}

/** What is told when there is nothing to send. */
export function noRuns(dir: string): DomainError {
  return new DomainError(
    "not_found",
    "NO_OFFLINE_RUNS",
    `${resolve(dir)} holds no recorded run: expected the folder that was given to trainyard.init(offline=…) or by TRAINYARD_OFFLINE, or one of its run_… folders`,
  );
}

/** The ranks that have begun to record. */
export async function ranksOf(run: LocalRun): Promise<number[]> {
  const names = await readdir(run.dir);
  return names
    .flatMap((name) => /^rank-(\d{1,5})$/.exec(name)?.[1] ?? [])
    .map(Number)
    .sort((a, b) => a - b);
}

/** Whether the process that records a rank is gone: "unknown" where it runs on another host than this. */
export async function writerOf(run: LocalRun, rank: number): Promise<"alive" | "gone" | "unknown"> {
  const { data } = writer.safeParse(await readState(join(run.dir, `rank-${rank}`, "writer.json")));
  if (data === undefined || data.startedAt === "" || data.host !== hostname()) return "unknown";
  return isRunning(data) ? "alive" : "gone";
}

/**
 * A file that a record names, inside the run's folder. Throws FILE_OUTSIDE for any that leads out of it, by its name or
 * over a link: a folder from elsewhere must not make this machine's files travel.
 */
export async function fileInside(run: LocalRun, path: string): Promise<{ file: string; isFolder: boolean }> {
  const file = resolve(run.dir, path);
  const root = await realpath(run.dir);
  const real = await realpath(file).catch(() => undefined);
  if (real === undefined) throw new DomainError("not_found", "FILE_MISSING", `${file} is not there any more`);
  const state = await lstat(file);
  if (!real.startsWith(root + sep) || state.isSymbolicLink() || !(state.isFile() || state.isDirectory()))
    throw new DomainError("failed_precondition", "FILE_OUTSIDE", `${file} is no file of the run's folder`);
  return { file: real, isFolder: state.isDirectory() };
}

async function readRun(dir: string): Promise<LocalRun | undefined> {
  const value = await readState(join(dir, "run.json")).catch(() => "unreadable");
  if (value === undefined) return undefined;
  const { data, error } = facts.safeParse(value);
  if (data !== undefined) return { ...data, dir };
  throw new DomainError(
    "failed_precondition",
    "OFFLINE_RUN_INVALID",
    `${join(dir, "run.json")} is not what trainyard.init() writes: ${z.prettifyError(error).replaceAll("\n", " ")}`,
  );
}
