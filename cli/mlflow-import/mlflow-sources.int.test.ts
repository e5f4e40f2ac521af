import { appendFileSync, cpSync, renameSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { tempDir } from "@trainyard/testing";
import { describe, expect, it } from "vitest";
import { MlflowDatabase } from "./database.ts";
import { FileStore } from "./file-store.ts";
import type { MlflowFile, MlflowRun, MlflowSource } from "./mlflow-source.ts";
import { openMlflow } from "./open-mlflow.ts";
import {
  pythonNumber,
  type TrueRun,
  truth,
  unpackDatabase,
  unpackFileStore,
} from "./testing/mlflow-fixture.ts";

/** When the runs of the fixture began. */
const T0 = 1_760_000_000_000;

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

/** Doubles are compared by their bits, as Python reads what it wrote. */
function bits(text: string): string {
  const named: Record<string, number> = { nan: Number.NaN, inf: Infinity, "-inf": -Infinity };
  const value = named[text] ?? Number(text);
  return Number.isNaN(value) ? "nan" : Buffer.from(new Float64Array([value]).buffer).toString("hex");
}

/** The sizes of files, which lie on this machine. */
async function sizesOf(files: AsyncIterable<MlflowFile>): Promise<Record<string, number>> {
  const sizes: Record<string, number> = {};
  for (const { path, content } of await all(files))
    if ("file" in content) sizes[path] = statSync(content.file).size;
  return sizes;
}

async function described(source: MlflowSource, run: MlflowRun) {
  const metrics: Record<string, [number, number, string][]> = {};
  for (const { key, timeMs, step, value } of await all(source.points(run))) {
    metrics[key] ??= [];
    metrics[key].push([timeMs, Number(step), bits(pythonNumber(value))]);
  }
  return { run, metrics, artifacts: await sizesOf(source.files(run)) };
}

function sortedMetrics(metrics: TrueRun["metrics"]) {
  return Object.fromEntries(
    Object.entries(metrics).map(([key, points]) => [
      key,
      points.map(([time, step, value]) => [time, step, bits(value)]).sort(),
    ]),
  );
}

describe.each([
  ["a file store", () => new FileStore(unpackFileStore(), undefined), "files"],
  ["a SQLite database", () => new MlflowDatabase(unpackDatabase(), undefined), "database"],
] as const)("%s that MLflow wrote", (_name, open, kind) => {
  it("is read as MLflow's own client reads it: every run, point, parameter, tag and file", async () => {
    const source = open();
    const expected = truth[kind];
    const experiments = await all(source.experiments());
    expect(experiments.map(({ name }) => name).sort()).toEqual(["Default", "vision & words"]);
    const vision = experiments.find(({ name }) => name !== "Default");
    if (vision === undefined) throw new Error("no experiment");
    expect(vision.tags).toEqual({ team: "a b", "mlflow.note.content": "What *we* see" });
    const runs = await all(source.runs(vision));
    expect(runs.map(({ name }) => name).sort()).toEqual(Object.keys(expected).sort());
    for (const one of runs) {
      const { run, metrics, artifacts } = await described(source, one);
      const true_ = expected[run.name];
      if (true_ === undefined) throw new Error(`no ${run.name}`);
      expect([run.id, run.status, run.startTimeMs, run.endTimeMs ?? null]).toEqual([
        true_.id,
        true_.status,
        true_.startTime,
        true_.endTime,
      ]);
      expect(run.params).toEqual(true_.params);
      expect(run.tags).toEqual(true_.tags);
      expect(artifacts).toEqual(true_.artifacts);
      const links = Map.groupBy(run.models, ({ output }) => output);
      expect((links.get(false) ?? []).map(({ modelId }) => modelId).sort()).toEqual(true_.given);
      expect((links.get(true) ?? []).map(({ modelId, step }) => [modelId, Number(step)])).toEqual(true_.made);
      const found = Object.fromEntries(Object.entries(metrics).map(([key, points]) => [key, points.sort()]));
      expect(found).toEqual(sortedMetrics(true_.metrics));
      expect(await source.run(run.id)).toEqual(run);
    }
    const long = runs.find(({ name }) => name === "long");
    expect(long?.inputs).toEqual([
      {
        name: "train",
        digest: "0123abcd",
        sourceType: "local",
        source: '{"uri": "/d.csv"}',
        schema: '{"mlflow_colspec": []}',
        profile: '{"rows": 3}',
        tags: { "mlflow.data.context": "training" },
      },
    ]);
    const models = await all(source.models());
    expect(models.map(({ name }) => name)).toEqual(["digits model", "greeting", "net model"]);
    const model = models.find(({ name }) => name === "digits model");
    expect(model).toMatchObject({
      name: "digits model",
      description: "Reads digits",
      tags: { task: "digits" },
      aliases: { best: 1 },
    });
    expect(
      model?.versions.map(({ version, runId, description, tags }) => [version, runId, description, tags]),
    ).toEqual([
      [1, long?.id, "first", { k: "v" }],
      [2, long?.id, "", {}],
    ]);
    await source.close();
  });

  it("says what it holds and does not give", async () => {
    const source = open();
    for (const experiment of await all(source.experiments())) {
      await all(source.runs(experiment));
      await all(source.loggedModels(experiment));
    }
    const left = await source.leftOut();
    // The database also counts the run that went with its experiment.
    expect(left).toEqual(
      ["experiments", "runs", "logged models"].map((what) => ({
        what,
        why: "they are deleted there",
        count: kind === "database" && what === "runs" ? 2 : 1,
      })),
    );
    await source.close();
  });

  it("gives its logged models, registered or not, with their metrics and files", async () => {
    const source = open();
    const expected = truth.models[kind];
    const vision = (await all(source.experiments())).find(({ name }) => name !== "Default");
    if (vision === undefined) throw new Error("no experiment");
    const models = await all(source.loggedModels(vision));
    expect(models.map(({ name }) => name).sort()).toEqual(["begun", "net"]);
    for (const model of models) {
      const { artifacts, ...facts } = expected[model.name] ?? { artifacts: {} };
      expect(model).toMatchObject(facts);
      expect(await sizesOf(source.modelFiles(model))).toEqual(artifacts);
    }
    const net = models.find(({ name }) => name === "net");
    const points = (net?.metrics ?? []).map(({ timeMs, ...point }) => ({ ...point, at: timeMs - T0 }));
    const measured = { runId: truth[kind].long?.id, datasetName: "", datasetDigest: "" };
    expect(points).toEqual([
      { key: "acc", step: 0n, at: 0, value: 0.5, ...measured },
      { key: "acc", step: 1n, at: 1, value: 0.25, ...measured },
      { key: "acc", step: 2n, at: 2, value: 0.1 + 0.2, ...measured },
      { key: "f1", step: 0n, at: 0, value: 0.75, ...measured, datasetName: "iris", datasetDigest: "d1" },
    ]);
    await source.close();
  });
});

describe("a file of points", () => {
  it("is read up to what was cut short or damaged, and that is told", async () => {
    const root = unpackFileStore();
    const source = new FileStore(root, undefined);
    const [vision] = (await all(source.experiments())).filter(({ name }) => name !== "Default");
    const run = (await all(source.runs(vision ?? { id: "", name: "", tags: {} }))).find(
      ({ name }) => name === "child",
    );
    if (run === undefined) throw new Error("no run");
    const file = join(root, run.experimentId, run.id, "metrics", "loss");
    appendFileSync(
      file,
      "1760000000009 0.25 3\n\0\0\0\0\n1760000000010 x 4\n1760000000011 0.5\n1760000000012 0.1",
    );
    const points = (await all(source.points(run))).map(({ timeMs, value, step }) => [timeMs, value, step]);
    expect(points.slice(1)).toEqual([
      [1760000000009, 0.25, 3n],
      [1760000000011, 0.5, 0n],
    ]);
    const lines = (await source.leftOut()).filter(({ what }) => what.startsWith("lines"));
    expect(lines).toMatchObject([{ count: 2, what: expect.stringMatching(/metrics\/loss$/) }]);
  });
});

describe("where MLflow keeps its files", () => {
  it("is found again when the whole folder was moved", async () => {
    const root = unpackFileStore();
    const moved = join(tempDir("moved"), "elsewhere");
    const source = new FileStore(moved, undefined);
    renameSync(root, moved);
    const [vision] = (await all(source.experiments())).filter(({ name }) => name !== "Default");
    if (vision === undefined) throw new Error("no experiment");
    const long = (await all(source.runs(vision))).find(({ name }) => name === "long");
    if (long === undefined) throw new Error("no run");
    const kept = join(root, "..", "mlruns-artifacts", "vision", long.id, "artifacts");
    cpSync(kept, join(moved, vision.id, long.id, "artifacts"), { recursive: true });
    rmSync(kept, { recursive: true });
    expect((await all(source.files(long))).map(({ path }) => path)).toEqual([
      "empty.bin",
      "plots/ü.txt",
      "zeros.bin",
    ]);
  });

  it.each([
    ["gs://bucket/x", /import from a server/],
    ["mlflow-artifacts:/1/x", /--artifacts/],
  ])("is told when it cannot be reached: %s", async (artifactUri, message) => {
    const source = new MlflowDatabase(unpackDatabase(), undefined);
    const run = { artifactUri } as MlflowRun;
    await expect(all(source.files(run))).rejects.toThrow(message);
    await source.close();
  });

  it("says what it expected when there is nothing of MLflow's", async () => {
    await expect(openMlflow(tempDir("none"), undefined, {})).rejects.toMatchObject({
      reason: "MLFLOW_NOT_FOUND",
    });
    await expect(openMlflow("postgresql://x/y", undefined, {})).rejects.toMatchObject({
      reason: "MLFLOW_URI_INVALID",
    });
  });
});
