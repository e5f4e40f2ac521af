import { execFile } from "node:child_process";
import { globSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { findPython, freePort } from "@trainyard/local";
import { tempDir } from "@trainyard/testing";
import { describe, expect, it } from "vitest";
import type { Assignment } from "./domain/assignment.ts";
import { rankEnvironment } from "./domain/rank-environment.ts";

const run = promisify(execFile);
const NODES = 2;
const RANKS_PER_NODE = 2;
const MAX_RESTARTS = 3;

/** What the shell has and torchrun would pass on. */
const inherited = { PATH: process.env.PATH ?? "", HOME: process.env.HOME ?? "/" };
/** Differ from run to run; the test looks at what they must be like. */
const ofTheRun: readonly string[] = [
  "MASTER_ADDR",
  "MASTER_PORT",
  "TORCHELASTIC_RUN_ID",
  "TORCHELASTIC_ERROR_FILE",
  "OMP_NUM_THREADS",
];

/** What torchrun gives each of four ranks on two nodes, by rank, beyond what it was started with. */
async function torchrunEnvironments(): Promise<readonly Record<string, string>[]> {
  const dir = tempDir("torchrun");
  const script = join(dir, "dump.py");
  writeFileSync(
    script,
    'import json, os\njson.dump(dict(os.environ), open(f"rank-{os.environ[\'RANK\']}.json", "w"))\n',
  );
  const endpoint = `127.0.0.1:${await freePort()}`;
  const meeting = ["--rdzv-backend", "c10d", "--rdzv-endpoint", endpoint, "--rdzv-id", "test"];
  const size = ["--nnodes", String(NODES), "--nproc-per-node", String(RANKS_PER_NODE)];
  const args = [...meeting, ...size, "--max-restarts", String(MAX_RESTARTS), script];
  const torchrun = join(dirname(findPython()), "torchrun");
  await Promise.all(Array.from({ length: NODES }, () => run(torchrun, args, { cwd: dir, env: inherited })));
  return Array.from({ length: NODES * RANKS_PER_NODE }, (_, rank) => {
    const env = JSON.parse(readFileSync(join(dir, `rank-${rank}.json`), "utf8")) as Record<string, string>;
    const names = Object.keys(env).filter((name) => !(name in inherited) && name !== "LC_CTYPE");
    return Object.fromEntries(names.map((name) => [name, env[name] ?? ""]));
  });
}

/** What our agents give the same ranks. */
function ownEnvironments(): readonly Record<string, string>[] {
  const all = Array.from({ length: NODES * RANKS_PER_NODE }, (_, rank) => rank);
  return all.map((rank) => {
    const groupRank = Math.floor(rank / RANKS_PER_NODE);
    const ranks = Array.from({ length: RANKS_PER_NODE }, (_, localRank) => ({
      rank: groupRank * RANKS_PER_NODE + localRank,
      localRank,
      slots: [localRank],
    }));
    const place = ranks[rank % RANKS_PER_NODE];
    if (place === undefined) throw new Error("no such rank");
    return rankEnvironment({ ...assignment, groupRank, ranks }, place, {
      attemptDir: "/a",
      rendezvous: { address: "10.0.0.2" },
      slotKind: "cpu",
      slots: 2,
      cpuCount: 2,
      gatewayUrl: "",
      path: "",
    });
  });
}

const assignment: Assignment = {
  jobId: "job_1",
  runId: "run_1",
  project: "p",
  attempt: 1,
  action: "run",
  worldSize: NODES * RANKS_PER_NODE,
  ranks: [],
  groupRank: 0,
  groupCount: NODES,
  groupNodes: Array.from({ length: NODES }, (_, node) => `n${node + 1}`),
  work: {
    codeDigest: "",
    entrypoint: ["train.py"],
    paramsJson: "{}",
    env: {},
    framework: "torch",
    start: "warm",
    checkpoint: { everySteps: 0, everySeconds: 0, stream: false },
    seed: "0",
    deterministic: true,
    collectiveTimeoutSeconds: 0,
    inputs: [],
    secrets: [],
    limits: { memoryBytes: 0, processes: 0, openFiles: 0 },
    ownFolders: false,
    dataPaths: [],
  },
  traceparent: "",
  rankToken: "token",
  maxRestarts: MAX_RESTARTS,
  graceMs: 1_000,
};

describe("the environment of ranks on two nodes", { timeout: 180_000 }, () => {
  it("is torchrun's, variable by variable", async () => {
    const theirs = await torchrunEnvironments();
    const ours = ownEnvironments();
    for (const [rank, env] of theirs.entries()) {
      const own = ours[rank] ?? {};
      for (const [name, value] of Object.entries(env)) {
        if (ofTheRun.includes(name)) expect(own[name], `rank ${rank}: ${name}`).toBeTruthy();
        else expect([name, own[name]], `rank ${rank}`).toEqual([name, value]);
      }
      expect(own.TORCHELASTIC_ERROR_FILE).toBe(`/a/rank-${rank}/error.json`);
    }
  });

  it("has every variable that torchrun's documentation names", () => {
    const library = join(dirname(findPython()), "../lib/python*/site-packages/torch/distributed/run.py");
    const [file = ""] = globSync(library);
    const text = readFileSync(file, "utf8").split("Environment Variables")[1]?.split("Deployment")[0] ?? "";
    const documented = [...text.matchAll(/^\d+\. ``([A-Z_]+)``/gm)].map(([, name = ""]) => name);
    expect(documented).toContain("TORCHELASTIC_RESTART_COUNT");
    // It is what torchrun reads and not what it sets; here it names the job's interpreter (see `pythonFrom`).
    const set = documented.filter((name) => name !== "PYTHON_EXEC");
    const own = ownEnvironments()[0] ?? {};
    expect(set.filter((name) => !(name in own))).toEqual([]);
  });
});
