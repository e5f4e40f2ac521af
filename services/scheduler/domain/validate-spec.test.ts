import { describe, expect, it } from "vitest";
import { neverFits } from "./fits-ever.ts";
import type { JobSpec, JsonValue, PythonEnvironment } from "./job-spec.ts";
import {
  MAX_ENTRYPOINT_WORDS,
  MAX_ENV_VARIABLES,
  MAX_INPUTS,
  MAX_LABELS,
  MAX_PARAMS_BYTES,
  MAX_PARAMS_DEPTH,
  MAX_RANKS,
  MAX_RETRIES,
  MAX_SLOTS_PER_RANK,
  MAX_SOURCE_YAML_BYTES,
  MAX_TIMEOUT_SECONDS,
} from "./limits.ts";
import { validateSpec } from "./validate-spec.ts";

const digest = "a".repeat(64);
const valid: JobSpec = {
  name: "digits",
  queue: "default",
  priority: "normal",
  experiment: "digits",
  ranks: 2,
  slotsPerRank: 1,
  code: { digest, sizeBytes: 10, gitCommit: "", dirtyDiffDigest: "" },
  entrypoint: ["train.py", "--epochs", "3"],
  params: { lr: 0.1, layers: [1, 2, { name: "x" }] },
  env: { OMP_NUM_THREADS: "2" },
  dataset: { name: "digits", version: "latest", schemaHash: "" },
  checkpoint: { everySteps: 100, keep: 3 },
  retries: 2,
  seed: -1,
  model: { name: "digits", suite: "" },
  timeoutSeconds: 0,
  framework: "torch",
  inputs: [{ path: "inputs/model/model.pt2", digest }],
  labels: { team: "vision" },
  kind: "training",
  sourceYaml: "kind: TrainingJob",
};

const fields = (more: Partial<JobSpec>) => validateSpec({ ...valid, ...more }).map(({ field }) => field);
const entries = (count: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, "v"]));
const python = (more: Partial<PythonEnvironment>): PythonEnvironment => ({
  interpreter: "",
  requirements: "",
  isolated: false,
  ...more,
});
const nested = (depth: number): JsonValue => (depth === 0 ? 1 : { d: nested(depth - 1) });

describe("a spec", () => {
  it("passes when everything is right, and at each limit", () => {
    expect(validateSpec(valid)).toEqual([]);
    expect(fields({ ranks: MAX_RANKS, slotsPerRank: MAX_SLOTS_PER_RANK, retries: MAX_RETRIES })).toEqual([]);
    expect(
      fields({ mesh: { data: 1, tensor: 2, pipeline: 1 }, spread: { nodes: 1, ranksPerNode: 2 } }),
    ).toEqual([]);
    expect(
      fields({ python: python({ interpreter: "/usr/bin/python3", requirements: "a/uv.lock" }) }),
    ).toEqual([]);
    expect(fields({ entrypoint: ["--no-python", "./run.sh"] })).toEqual([]);
    expect(fields({ env: entries(MAX_ENV_VARIABLES), labels: entries(MAX_LABELS) })).toEqual([]);
    expect(
      fields({ timeoutSeconds: MAX_TIMEOUT_SECONDS, params: { p: nested(MAX_PARAMS_DEPTH - 1) } }),
    ).toEqual([]);
  });

  it.each<[string, Partial<JobSpec>, string]>([
    ["its name is none", { name: "a b", experiment: "e" }, "spec.name"],
    ["it has too many ranks", { ranks: MAX_RANKS + 1 }, "spec.ranks"],
    ["it has no rank", { ranks: 0 }, "spec.ranks"],
    ["a rank asks for too many slots", { slotsPerRank: MAX_SLOTS_PER_RANK + 1 }, "spec.slots_per_rank"],
    ["it has too many retries", { retries: MAX_RETRIES + 1 }, "spec.retries"],
    ["its timeout is negative", { timeoutSeconds: -1 }, "spec.timeout_seconds"],
    ["its seed does not fit a double", { seed: 2 ** 60 }, "spec.seed"],
    ["nothing is to be run", { entrypoint: [] }, "spec.entrypoint"],
    ["it has too many words", { entrypoint: Array(MAX_ENTRYPOINT_WORDS + 1).fill("x") }, "spec.entrypoint"],
    ["its script is outside the bundle", { entrypoint: ["../../train.py"] }, "spec.entrypoint[0]"],
    ["its script is absolute", { entrypoint: ["/bin/sh"] }, "spec.entrypoint[0]"],
    ["its program is outside the bundle", { entrypoint: ["--no-python", "../sh"] }, "spec.entrypoint[1]"],
    ["its program is missing", { entrypoint: ["--no-python"] }, "spec.entrypoint[1]"],
    ["nodes and ranks disagree", { spread: { nodes: 2, ranksPerNode: 2 } }, "spec.ranks"],
    ["it has ranks per node but no nodes", { spread: { nodes: 0, ranksPerNode: 2 } }, "spec.nodes"],
    ["its mesh is not its ranks", { mesh: { data: 2, tensor: 2, pipeline: 1 } }, "spec.mesh"],
    ["an axis is negative", { mesh: { data: 0.5, tensor: 4, pipeline: 1 } }, "spec.mesh.data"],
    [
      "a tensor group would be on two nodes",
      { mesh: { data: 1, tensor: 2, pipeline: 1 }, spread: { nodes: 2, ranksPerNode: 1 } },
      "spec.mesh.tensor",
    ],
    ["its Python is nothing", { python: python({}) }, "spec.python"],
    [
      "its interpreter is relative",
      { python: python({ interpreter: "python3" }) },
      "spec.python.interpreter",
    ],
    [
      "its requirements are outside the bundle",
      { python: python({ requirements: "../requirements.txt" }) },
      "spec.python.requirements",
    ],
    [
      "its requirements are of no known kind",
      { python: python({ requirements: "environment.yml" }) },
      "spec.python.requirements",
    ],
    ["its module is none", { entrypoint: ["-m", "a b"] }, "spec.entrypoint[1]"],
    ["a word holds NUL", { entrypoint: ["train.py", "a\0b"] }, "spec.entrypoint[1]"],
    ["its code is missing", { code: { ...valid.code, digest: "" } }, "spec.code.digest"],
    ["its code's digest is none", { code: { ...valid.code, digest: "zz" } }, "spec.code.digest"],
    [
      "an input is placed over the platform's files",
      { inputs: [{ path: "spec.json", digest }] },
      "spec.inputs[0].path",
    ],
    ["an input is placed outside", { inputs: [{ path: "inputs/../../x", digest }] }, "spec.inputs[0].path"],
    [
      "it has too many inputs",
      { inputs: Array.from({ length: MAX_INPUTS + 1 }, (_, i) => ({ path: `inputs/${i}`, digest })) },
      "spec.inputs",
    ],
    ["a parameter is no finite number", { params: { lr: Number.NaN } }, "spec.params.lr"],
    ["its parameters are too large", { params: { x: "y".repeat(MAX_PARAMS_BYTES) } }, "spec.params"],
    ["it sets too many variables", { env: entries(MAX_ENV_VARIABLES + 1) }, "spec.env"],
    ["a variable's name is none", { env: { "A=B": "" } }, "spec.env.A=B"],
    [
      "its dataset's version is none",
      { dataset: { name: "d", version: "newest", schemaHash: "" } },
      "spec.dataset.version",
    ],
    ["it has too many labels", { labels: entries(MAX_LABELS + 1) }, "spec.labels"],
    ["its model's name is none", { model: { name: "", suite: "" } }, "spec.model.name"],
    ["its file is too large", { sourceYaml: "x".repeat(MAX_SOURCE_YAML_BYTES + 1) }, "spec.source_yaml"],
  ])("is refused when %s", (_why, more, field) => {
    expect(fields(more)).toEqual([field]);
  });

  it.each([
    "RANK",
    "WORLD_SIZE",
    "LOCAL_RANK",
    "MASTER_ADDR",
    "MASTER_PORT",
    "TORCHELASTIC_RUN_ID",
    "TRAINYARD_TOKEN",
  ])("is refused when it sets %s, which the platform sets", (name) => {
    expect(fields({ env: { [name]: "1" } })).toEqual([`spec.env.${name}`]);
  });

  it("is refused when its parameters are nested too deeply, without following them down", () => {
    const [problem] = validateSpec({ ...valid, params: { p: nested(MAX_PARAMS_DEPTH + 50) } });
    expect(problem?.description).toContain(`${MAX_PARAMS_DEPTH} levels`);
  });

  it("needs no code bundle to run an installed module", () => {
    const code = { ...valid.code, digest: "" };
    expect(fields({ code, entrypoint: ["-m", "trainyard.evaluate"] })).toEqual([]);
  });
});

describe("the fleet", () => {
  const fleet = [
    { id: "a", slots: 4, slotKind: "cpu" },
    { id: "b", slots: 3, slotKind: "gpu" },
  ];
  it.each([
    [{ ranks: 7, slotsPerRank: 1 }, true],
    [{ ranks: 8, slotsPerRank: 1 }, false],
    [{ ranks: 3, slotsPerRank: 2 }, true],
    [{ ranks: 1, slotsPerRank: 5 }, false],
    [{ ranks: 3, slotsPerRank: 1, slotKind: "gpu" }, true],
    [{ ranks: 4, slotsPerRank: 1, slotKind: "gpu" }, false],
    [{ ranks: 1, slotsPerRank: 1, slotKind: "tpu" }, false],
  ])("of 4 and 3 slots could hold %o: %s", (gang, fits) => {
    expect(neverFits(fleet, gang) === undefined).toBe(fits);
  });

  it("names the kinds of slots that it has to who asks for another", () => {
    const problem = neverFits(fleet, { ranks: 1, slotsPerRank: 1, slotKind: "tpu" });
    expect(problem).toMatchObject({
      field: "spec.slot_kind",
      message:
        'No node has slots of kind "tpu"; the kinds that there are: cpu, gpu. Ask for one of them, or add nodes of that kind.',
    });
    expect(neverFits(fleet, { ranks: 4, slotsPerRank: 1, slotKind: "gpu" })?.message).toContain(
      "but the fleet's nodes of kind gpu have 3 slots on 1 node",
    );
  });

  it("is not known while no node has ever joined", () => {
    expect(neverFits([], { ranks: 4096, slotsPerRank: 64 })).toBeUndefined();
  });
});
