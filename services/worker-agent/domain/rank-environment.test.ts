import { describe, expect, it } from "vitest";
import type { Assignment } from "./assignment.ts";
import { type NodeForRanks, rankEnvironment } from "./rank-environment.ts";

const place = { rank: 3, localRank: 1, slots: [4, 5] };
const assignment: Assignment = {
  jobId: "job_1",
  runId: "run_1",
  project: "p",
  attempt: 2,
  action: "run",
  worldSize: 4,
  ranks: [{ rank: 2, localRank: 0, slots: [2, 3] }, place],
  groupRank: 1,
  groupCount: 2,
  groupNodes: ["n1", "n2"],
  work: {
    codeDigest: "",
    entrypoint: ["train.py"],
    paramsJson: '{"lr":1}',
    env: {
      MINE: "1",
      RANK: "0",
      TRAINYARD_TOKEN: "stolen",
      TRAINYARD_OTHER: "x",
      PYTHONPATH: "/mine",
      OMP_NUM_THREADS: "7",
      NCCL_SOCKET_IFNAME: "mine",
    },
    framework: "torch",
    start: "warm",
    checkpoint: {
      everySteps: 10,
      everySeconds: 900,
      best: { metric: "val:loss", mode: "min" },
      stream: true,
    },
    collectiveTimeoutSeconds: 300,
    seed: "9007199254740993",
    deterministic: true,
    inputs: [],
    secrets: [],
    limits: { memoryBytes: 0, processes: 0, openFiles: 0 },
    ownFolders: false,
    dataPaths: [],
  },
  datasetManifestDigest: "d",
  resume: [],
  traceparent: "00-1-2-01",
  rankToken: "token",
  maxRestarts: 3,
  graceMs: 1000,
};
const node: NodeForRanks = {
  attemptDir: "/a",
  rendezvous: { address: "10.0.0.2", interface: "ib0" },
  slotKind: "gpu",
  slotVariable: "CUDA_VISIBLE_DEVICES",
  slots: 8,
  cpuCount: 16,
  sdkPath: "/sdk",
  gatewayUrl: "http://g",
  path: "/python/bin:/usr/bin",
};

describe("a rank's environment", () => {
  it("is torchrun's, with the platform's and the user's variables", () => {
    expect(rankEnvironment(assignment, place, node)).toEqual({
      RANK: "3",
      LOCAL_RANK: "1",
      WORLD_SIZE: "4",
      LOCAL_WORLD_SIZE: "2",
      GROUP_RANK: "1",
      GROUP_WORLD_SIZE: "2",
      ROLE_RANK: "3",
      ROLE_WORLD_SIZE: "4",
      ROLE_NAME: "default",
      MASTER_ADDR: "10.0.0.2",
      MASTER_PORT: "0",
      TORCHELASTIC_RESTART_COUNT: "1",
      TORCHELASTIC_MAX_RESTARTS: "3",
      TORCHELASTIC_RUN_ID: "run_1",
      TORCHELASTIC_USE_AGENT_STORE: "True",
      TORCHELASTIC_SIGNALS_TO_HANDLE: "SIGTERM,SIGINT,SIGHUP,SIGQUIT",
      TORCH_NCCL_ASYNC_ERROR_HANDLING: "1",
      GLOO_SOCKET_IFNAME: "ib0",
      NCCL_SOCKET_IFNAME: "mine",
      PATH: "/python/bin:/usr/bin",
      TORCHELASTIC_ERROR_FILE: "/a/rank-3/error.json",
      OMP_NUM_THREADS: "7",
      CUDA_VISIBLE_DEVICES: "4,5",
      PYTHONPATH: "/mine:/sdk",
      TRACEPARENT: "00-1-2-01",
      MLFLOW_RUN_ID: "run_1",
      MLFLOW_TRACKING_URI: "http://g",
      MLFLOW_TRACKING_TOKEN: "token",
      TRAINYARD_URL: "http://g",
      TRAINYARD_TOKEN: "token",
      TRAINYARD_RUN_ID: "run_1",
      TRAINYARD_JOB_ID: "job_1",
      TRAINYARD_ATTEMPT: "2",
      TRAINYARD_PROJECT: "p",
      TRAINYARD_FRAMEWORK: "torch",
      TRAINYARD_NODE_ADDRESS: "10.0.0.2",
      TRAINYARD_RANK_DIR: "/a/rank-3",
      TRAINYARD_ATTEMPT_DIR: "/a",
      TRAINYARD_PARAMS: '{"lr":1}',
      TRAINYARD_CHECKPOINT_EVERY_STEPS: "10",
      TRAINYARD_CHECKPOINT_EVERY_SECONDS: "900",
      TRAINYARD_CHECKPOINT_BEST: "min:val:loss",
      TRAINYARD_CHECKPOINT_STREAM: "1",
      TRAINYARD_COLLECTIVE_TIMEOUT_SECONDS: "300",
      TRAINYARD_SEED: "9007199254740993",
      TRAINYARD_DETERMINISTIC: "1",
      PYTHONHASHSEED: "0",
      TRAINYARD_DATASET_MANIFEST: "/a/dataset.json",
      TRAINYARD_RESUME_DIR: "/a/resume",
      MINE: "1",
    });
  });

  it("shares the cores among the slots and meets on loopback on one node", () => {
    const alone = { ...assignment, groupCount: 1, work: { ...assignment.work, env: {} } };
    const env = rankEnvironment(alone, place, { ...node, slotKind: "cpu", slotVariable: undefined });
    expect([env.OMP_NUM_THREADS, env.MASTER_ADDR, env.CUDA_VISIBLE_DEVICES]).toEqual([
      "2",
      "127.0.0.1",
      undefined,
    ]);
    expect(env.GLOO_SOCKET_IFNAME).toBeUndefined();
  });

  it("shows ranks of one device all of the gang's on this node, so that LOCAL_RANK is the number of its own", () => {
    const second = { rank: 3, localRank: 1, slots: [6] };
    const gang = { ...assignment, ranks: [second, { rank: 2, localRank: 0, slots: [2] }] };
    expect(rankEnvironment(gang, second, node).CUDA_VISIBLE_DEVICES).toBe("2,6");
    const chips = rankEnvironment(gang, second, {
      ...node,
      slotKind: "tpu",
      slotVariable: "TPU_VISIBLE_CHIPS",
    });
    expect([chips.TPU_VISIBLE_CHIPS, chips.CUDA_VISIBLE_DEVICES]).toEqual(["2,6", undefined]);
  });

  it("has what belongs to the framework and the mesh only where the job has them", () => {
    const work = {
      ...assignment.work,
      framework: "tensorflow",
      mesh: { data: 2, tensor: 2, pipeline: 1 },
    } as const;
    const env = rankEnvironment({ ...assignment, work }, place, node);
    expect(env.TORCHELASTIC_USE_AGENT_STORE).toBeUndefined();
    expect(env.TRAINYARD_MESH).toBe('{"data":2,"tensor":2,"pipeline":1}');
  });
});
