import { execFileSync } from "node:child_process";
import { globSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { checkoutRoot, findPython } from "@trainyard/local";
import { atFileEnd, tempDir, testLogger, waitFor } from "@trainyard/testing";
import { expect, it } from "vitest";
import { isAlive, signalProcess } from "../ranks/processes.ts";
import { readLauncherRecord } from "./launcher-record.ts";
import { Launchers } from "./launchers.ts";

const sdk = join(checkoutRoot, "sdk/python");
const env = { PATH: process.env.PATH ?? "", HOME: process.env.HOME ?? "/", PYTHONPATH: sdk };

/** An interpreter of its own, with or without the packages of the checkout's beneath it. */
function interpreter(packages: boolean): string {
  const dir = tempDir("python");
  execFileSync(findPython(), ["-m", "venv", "--without-pip", dir]);
  const [library = ""] = globSync(join(dirname(findPython()), "../lib/python*/site-packages"));
  const [own = ""] = globSync(join(dir, "lib/python*/site-packages"));
  if (packages) execFileSync("sh", ["-c", `echo "${library}" > "${own}/beneath.pth"`]);
  return join(dir, "bin/python");
}

async function attempt(python: string): Promise<string> {
  const dir = tempDir("attempt");
  await mkdir(join(dir, "work"));
  await writeFile(join(dir, "work", "train.py"), "print('trained')\n");
  const own = { RANK: "0", LOCAL_RANK: "0", WORLD_SIZE: "1", LOCAL_WORLD_SIZE: "1", PYTHONPATH: sdk };
  const ranks = [{ rank: 0, localRank: 0, dir: "rank-0", env: { ...own, TRAINYARD_ATTEMPT_DIR: dir } }];
  const spec = { schema: 1, python, argv: ["train.py"], cwd: "work", worldSize: 1, graceMs: 1_000, ranks };
  await writeFile(join(dir, "spec.json"), JSON.stringify(spec));
  return dir;
}

it("has a launcher for each Python that jobs bring, ends the one used longest ago, and none where torch is not", {
  timeout: 240_000,
}, async () => {
  const dir = join(tempDir("agent"), "launcher");
  const launchers = new Launchers({
    mode: "warm",
    dir,
    command: { python: findPython(), env },
    onStop: "stop",
    max: 2,
    sdk: async () => sdk,
    beginAfterMs: 0,
    logger: testLogger("launchers"),
  });
  // Only those of jobs' own Pythons are looked at; the node's own would load torch beside them.
  atFileEnd(async () => {
    await launchers.stop();
    for (const file of globSync(join(dir, "*/launcher.json"))) {
      const left = await readLauncherRecord(dirname(file));
      if (left !== undefined) signalProcess(left, "SIGKILL");
    }
  });
  const start = async (python: string) => launchers.startShim(await attempt(python), python);
  const warm = (python: string) =>
    waitFor(
      "a warm start",
      async () => {
        const answer = await start(python);
        if (answer.start === "cold") throw new Error(answer.reason);
        return true;
      },
      { timeoutMs: 120_000, intervalMs: 500 },
    );
  const records = () =>
    Promise.all(globSync(join(dir, "*/launcher.json")).map((file) => readLauncherRecord(dirname(file))));

  const first = interpreter(true);
  expect(await start(first)).toEqual({
    start: "cold",
    reason: "there is no launcher yet for the job's own Python",
  });
  await warm(first);
  const [record] = await records();
  if (record === undefined) throw new Error("there is no launcher");

  const bare = interpreter(false);
  await waitFor("the word that there is no torch", async () => {
    const answer = await start(bare);
    return answer.start === "cold" && answer.reason === "torch is not installed for the job's own Python";
  });
  expect(isAlive(record)).toBe(true);
  // Two are kept in all, and the node's own is one of them.
  await start(interpreter(true));
  await waitFor("the end of the one used longest ago", () => !isAlive(record));
  expect(launchers.count).toBe(2);
});
