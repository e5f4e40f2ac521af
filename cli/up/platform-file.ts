import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** What a running platform says about itself, so that other commands find it. */
export interface PlatformFile {
  /** The gateway: where clients talk to. */
  readonly url: string;
  readonly pid: number;
  readonly startedAt: string;
  readonly dataDir: string;
  readonly natsUrl: string;
  /** Where each service listens, by name. */
  readonly services: Readonly<Record<string, string>>;
  readonly nodes: readonly string[];
}

const fileIn = (dir: string) => join(dir, "platform.json");

/** Written whole, once everything is ready; removed at the stop. */
export function writePlatformFile(dir: string, content: PlatformFile): void {
  const draft = `${fileIn(dir)}.${process.pid}`;
  writeFileSync(draft, `${JSON.stringify(content, undefined, 2)}\n`, { mode: 0o600 });
  renameSync(draft, fileIn(dir));
}

/** Removes the file at the stop; one left by a killed platform is replaced by the next start. */
export function removePlatformFile(dir: string): void {
  rmSync(fileIn(dir), { force: true });
}

/** What the platform on that folder says about itself; undefined when none was started there. */
export function readPlatformFile(dir: string): PlatformFile | undefined {
  try {
    // Written by writePlatformFile only.
    return JSON.parse(readFileSync(fileIn(dir), "utf8")) as PlatformFile;
  } catch {
    return undefined;
  }
}
