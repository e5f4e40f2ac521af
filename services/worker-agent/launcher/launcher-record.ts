import { join } from "node:path";
import { identityFrom, type ProcessIdentity } from "../domain/exit-record.ts";
import { readJsonIfThere } from "../ranks/durable-file.ts";

/** The launcher that serves in a folder. */
export interface LauncherRecord extends ProcessIdentity {
  /** Its socket's name in the folder. */
  readonly socket: string;
}

/** Reads `launcher.json`, which a launcher writes when it is ready; undefined when none has. */
export async function readLauncherRecord(dir: string): Promise<LauncherRecord | undefined> {
  const value = await readJsonIfThere(join(dir, "launcher.json"));
  const identity = identityFrom(value);
  if (identity === undefined || typeof value !== "object" || value === null || !("socket" in value))
    return undefined;
  const { socket } = value;
  return typeof socket === "string" && /^[0-9]+\.sock$/.test(socket) ? { ...identity, socket } : undefined;
}
