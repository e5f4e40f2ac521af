import { readFileSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { checkoutRoot, findPython } from "@trainyard/local";
import { atFileEnd, tempDir, testLogger, waitFor } from "@trainyard/testing";
import { describe, expect, it } from "vitest";
import type { ShimStart } from "../domain/launcher-rules.ts";
import { isAlive, signalProcess } from "../ranks/processes.ts";
import { askLauncher } from "./ask-launcher.ts";
import { Launcher, type LauncherOptions } from "./launcher.ts";
import { readLauncherRecord } from "./launcher-record.ts";

const env = {
  PATH: process.env.PATH ?? "",
  HOME: process.env.HOME ?? "/",
  PYTHONPATH: join(checkoutRoot, "sdk/python"),
};
const READY = { timeoutMs: 120_000 };

/** An agent's launcher in a folder; whatever launcher is in the folder at the end is ended. */
async function agentsLauncher(dir: string, changes: Partial<LauncherOptions> = {}): Promise<Launcher> {
  const launcher = new Launcher({
    mode: "warm",
    dir,
    command: { python: findPython(), env },
    onStop: "leave",
    logger: testLogger("launcher"),
    ...changes,
  });
  await launcher.start();
  atFileEnd(async () => {
    await launcher.stop();
    const record = await readLauncherRecord(dir);
    if (record !== undefined) signalProcess(record, "SIGKILL");
  });
  return launcher;
}

/** Starts attempts until one starts warm. */
async function warmAttempt(launcher: Launcher): Promise<string> {
  return waitFor(
    "a warm start",
    async () => {
      const dir = await attempt();
      const answer = await launcher.startShim(dir);
      if (answer.start === "cold") throw new Error(answer.reason);
      return dir;
    },
    READY,
  );
}

async function attempt(): Promise<string> {
  const dir = tempDir("attempt");
  await mkdir(join(dir, "work"));
  await writeFile(join(dir, "work", "train.py"), "import torch\nprint(torch.ones(2).sum().item())\n");
  const rank = { RANK: "0", LOCAL_RANK: "0", WORLD_SIZE: "1", LOCAL_WORLD_SIZE: "1", OMP_NUM_THREADS: "1" };
  const spec = {
    schema: 1,
    python: findPython(),
    argv: ["train.py"],
    cwd: "work",
    worldSize: 1,
    graceMs: 1_000,
    ranks: [{ rank: 0, localRank: 0, dir: "rank-0", env: { ...rank, TRAINYARD_ATTEMPT_DIR: dir } }],
  };
  await writeFile(join(dir, "spec.json"), JSON.stringify(spec));
  return dir;
}

const outputOf = (dir: string) =>
  waitFor("the output", () => readFileSync(join(dir, "rank-0/stdout.log"), "utf8") || undefined);

describe("the agent's launcher", { timeout: 240_000 }, () => {
  it("starts cold until it is ready, warm then, and outlives a leaving agent for the next one", async () => {
    // Deeper than a Unix socket's path may be long.
    const dir = join(tempDir("agent"), "deep".repeat(30), "launcher");
    const first = await agentsLauncher(dir);
    expect(await first.startShim(await attempt())).toEqual({
      start: "cold",
      reason: "the launcher is starting",
    });
    expect(await outputOf(await warmAttempt(first))).toBe("2.0\n");
    const pid = (await readLauncherRecord(dir))?.pid;
    await first.stop();

    const second = await agentsLauncher(dir);
    const one = await attempt();
    expect(await second.startShim(one)).toEqual({ start: "warm" });
    expect(await outputOf(one)).toBe("2.0\n");
    expect((await readLauncherRecord(dir))?.pid).toBe(pid);

    // Killed: the next start is cold, and a new launcher comes by itself.
    const record = await readLauncherRecord(dir);
    if (record === undefined) throw new Error("no record");
    signalProcess(record, "SIGKILL");
    await waitFor("its death", () => !isAlive(record));
    expect((await second.startShim(await attempt())).start).toBe("cold");
    await warmAttempt(second);
    expect((await readLauncherRecord(dir))?.pid).not.toBe(pid);
    await second.stop();

    // Another environment: the running one is not used, but replaced.
    const old = await readLauncherRecord(dir);
    const third = await agentsLauncher(dir, {
      command: { python: findPython(), env: { ...env, LANG: "C.UTF-8" } },
      onStop: "stop",
      maxJobs: 1,
    });
    expect((await third.startShim(await attempt())).start).toBe("cold");
    await waitFor("the successor", async () => (await readLauncherRecord(dir))?.pid !== old?.pid, READY);
    await waitFor("the end of the old one", () => old !== undefined && !isAlive(old), READY);

    // After so many attempts: the worn one serves until the next is ready, so that no start is cold.
    await warmAttempt(third);
    const worn = await readLauncherRecord(dir);
    const starts: ShimStart[] = [];
    await waitFor(
      "the next launcher",
      async () => {
        starts.push(await third.startShim(await attempt()));
        return (await readLauncherRecord(dir))?.pid !== worn?.pid;
      },
      { ...READY, intervalMs: 500 },
    );
    expect(starts.filter(({ start }) => start !== "warm")).toEqual([]);

    const last = await readLauncherRecord(dir);
    if (last === undefined) throw new Error("no record");
    expect(await askLauncher(dir, last.socket, { ping: true }, 5_000)).toMatchObject({ threads: 1 });
    await third.stop();
    await waitFor("the end with the agent", () => !isAlive(last));
  });

  it("says why an interpreter without torch never makes a launcher, and starts cold", async () => {
    const dir = tempDir("agent");
    const launcher = await agentsLauncher(dir, { command: { python: "/bin/false", env } });
    expect((await launcher.startShim(await attempt())).start).toBe("cold");
  });

  it("starts nothing when it is switched off", async () => {
    const launcher = await agentsLauncher(tempDir("agent"), { mode: "off" });
    expect(await launcher.startShim("/x")).toEqual({
      start: "cold",
      reason: "the launcher is switched off",
    });
  });
});
