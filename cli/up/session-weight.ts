import { writeFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import type { PlatformServers } from "@trainyard/local";

/** A tenth of what a rank weighs when both want a core: enough for heartbeats beside ranks that leave no core idle. */
const GIVES_WAY = 10;
const AS_ALL = 0;

/** The kernel takes one change a tenth of a second from a user without privileges. */
const PAUSE_MS = 110;
const MAX_TRIES = 10;

/**
 * Lets ranks on this machine go before the platform that serves them. Linux weighs sessions, not processes, against each other
 * (autogroups, see sched(7)), and each rank is a session of its own. Where there are no autogroups nothing happens.
 */
export async function giveWayToRanks(servers: Pick<PlatformServers, "nats" | "mongod">): Promise<void> {
  await weighSession(process.pid, GIVES_WAY);
  for (const server of [servers.nats, servers.mongod]) await giveWay(server.pid());
}

/** The same for one server that was started again. */
export async function giveWay(pid: number | undefined): Promise<void> {
  if (pid !== undefined) await weighSession(pid, GIVES_WAY);
}

/** The session of this process may be a terminal's, which others go on using. */
export async function takeBackWay(): Promise<void> {
  await weighSession(process.pid, AS_ALL);
}

async function weighSession(pid: number, nice: number): Promise<void> {
  for (let tries = 1; tries <= MAX_TRIES; tries++) {
    try {
      await writeFile(`/proc/${pid}/autogroup`, String(nice), { flag: "r+" });
      return;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== "EAGAIN") return;
      await delay(PAUSE_MS);
    }
  }
}
