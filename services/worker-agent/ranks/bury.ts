import { mkdir } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { writeDurably } from "./durable-file.ts";
import { lastSignOfLife } from "./last-sign-of-life.ts";
import { killSession } from "./processes.ts";
import type { Spool } from "./spool.ts";

/** How often the ranks' sessions are looked at while they die. */
const LOOK_AGAIN_MS = 50;

/**
 * Closes the books of a gang that has no shim any more (or never had one): ends every process that is left of its ranks,
 * waits until none is, and writes the exit records that the shim would have written, as killed by `signal`. Done here and
 * not by a second shim, because a broken interpreter may be why the first one died. Ends that nobody saw are dated by the
 * rank's last sign of life.
 */
export async function bury(
  spool: Spool,
  ranks: readonly number[],
  options: { readonly signal: number; readonly reason: string; readonly now: () => number },
): Promise<void> {
  for (const rank of ranks) {
    const started = await spool.rankStart(rank);
    while (started !== undefined && killSession(started) > 0) await delay(LOOK_AGAIN_MS);
  }
  const exits = await Promise.all(ranks.map((rank) => spool.rankExit(rank)));
  let order = exits.filter((exit) => exit !== undefined).length;
  for (const [index, rank] of ranks.entries()) {
    if (exits[index] !== undefined) continue;
    order += 1;
    const rankDir = spool.rankPath(rank, ".");
    const atMs = (await lastSignOfLife(rankDir)) ?? options.now();
    await mkdir(rankDir, { recursive: true, mode: 0o700 });
    // The shim's form: a code as shells have it, 128 and the signal.
    const record = { code: 128 + options.signal, signal: options.signal, at: atMs / 1000, order };
    await writeDurably(spool.rankPath(rank, "exit.json"), JSON.stringify(record));
  }
  await spool.markDone(options.reason, options.now());
}
