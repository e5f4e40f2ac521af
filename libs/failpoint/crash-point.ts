import { closeSync, existsSync, mkdirSync, openSync } from "node:fs";
import { join } from "node:path";

const passes = new Map<string, number>();

/**
 * Kills this process with SIGKILL when the environment asks for it here; otherwise does nothing. Points stand at every
 * edge between a database commit and what follows from it, named `<service>.<what>.<edge>`.
 *
 * TRAINYARD_CRASH_AT names one or more points, separated by commas; `name#3` dies at the third pass. With
 * TRAINYARD_CRASH_ONCE_DIR each point dies once only, also across restarts: a marker file in that folder remembers.
 */
export function crashPoint(name: string): void {
  const wanted = process.env.TRAINYARD_CRASH_AT;
  if (wanted === undefined || wanted === "") return;
  const pass = (passes.get(name) ?? 0) + 1;
  passes.set(name, pass);
  const entry = wanted
    .split(",")
    .map((text) => text.trim().split("#"))
    .find(([point]) => point === name);
  if (entry === undefined || pass < Number(entry[1] ?? "1")) return;
  const onceDir = process.env.TRAINYARD_CRASH_ONCE_DIR;
  if (onceDir !== undefined && onceDir !== "") {
    const marker = join(onceDir, name);
    if (existsSync(marker)) return;
    mkdirSync(onceDir, { recursive: true });
    closeSync(openSync(marker, "w"));
  }
  process.kill(process.pid, "SIGKILL");
}
