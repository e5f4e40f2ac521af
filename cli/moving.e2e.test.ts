import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { registry, type tracking } from "@trainyard/contracts";
import { checkoutRoot, firstTokens } from "@trainyard/local";
import { atFileEnd, tempDir, waitFor } from "@trainyard/testing";
import { beforeAll, describe, expect, it } from "vitest";
import { type Clients, createClients } from "./client/clients.ts";
import { readPoints } from "./export/read-points.ts";
import { truth, unpackDatabase } from "./mlflow-import/testing/mlflow-fixture.ts";
import { startUp, trainyard } from "./testing/command-line.ts";

const data = tempDir("moving");
const address = { url: "", token: "" };
let clients: Clients;

beforeAll(async () => {
  const { url } = await startUp(data);
  Object.assign(address, { url, token: firstTokens(data).submitter });
  clients = createClients(address);
});

const command = (args: readonly string[], env: Readonly<Record<string, string>> = {}) =>
  trainyard([...args, "--json"], { cwd: data, env: { TRAINYARD_DATA: data, ...env } });

/** Runs a command again and again, each time to its death at the next of the crash points, until it comes to its end. */
async function throughDeaths(args: readonly string[], points: readonly string[]): Promise<unknown> {
  const env = { TRAINYARD_CRASH_AT: points.join(), TRAINYARD_CRASH_ONCE_DIR: tempDir("died") };
  for (const _ of points)
    expect(await command(args, env), args.join(" ")).toMatchObject({ code: null, stdout: "" });
  return answer(args, env);
}

async function answer(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<unknown> {
  const { code, stdout, stderr } = await command(args, env);
  expect([code, stderr], args.join(" ")).toEqual([0, ""]);
  return JSON.parse(stdout);
}

async function runsFrom(sourceId: string): Promise<tracking.Run[]> {
  const { runs } = await clients.runs.searchRuns({
    filter: `tags."trainyard.source.run_id" = '${sourceId}'`,
  });
  return Promise.all(
    runs.map(async ({ id }) => {
      const { run } = await clients.tracking.getRun({ runId: id });
      if (run === undefined) throw new Error(`no ${id}`);
      return run;
    }),
  );
}

async function onlyRunFrom(sourceId: string): Promise<tracking.Run> {
  const [run, ...others] = await runsFrom(sourceId);
  expect(others).toEqual([]);
  if (run === undefined) throw new Error(`no run of ${sourceId}`);
  return run;
}

async function mlflowGet(path: string): Promise<string> {
  const headers = { authorization: `Bearer ${address.token}` };
  return (await fetch(`${address.url}/api/2.0/${path}`, { headers })).text();
}

async function modelsFrom(experiment: string): Promise<registry.CatalogedModel[]> {
  const found = await clients.experiments.getExperiment({ experiment });
  const experimentIds = [found.experiment?.id ?? ""];
  return (await clients.loggedModels.searchLoggedModels({ experimentIds })).models;
}

/** Every point as text that is exact: step, time, bits of the value. */
async function pointsOf(runId: string, key: string): Promise<string[]> {
  const found: string[] = [];
  for await (const points of readPoints(clients, runId, key))
    for (const { step, timeMs, value } of points)
      found.push(`${step} ${timeMs} ${Object.is(value, -0) ? "-0" : value}`);
  return found;
}

async function filesOf(runId: string): Promise<Record<string, number>> {
  const { artifacts } = await clients.tracking.listArtifacts({ runId });
  return Object.fromEntries(artifacts.map(({ path, sizeBytes }) => [path, Number(sizeBytes)]));
}

describe("a run recorded without a platform", () => {
  const folder = tempDir("recorded");
  const go = join(folder, "go");
  let recorder: ChildProcess;
  let recorded: string;

  beforeAll(async () => {
    const script = join(import.meta.dirname, "testing/recorder.py");
    recorder = spawn(join(checkoutRoot, ".venv/bin/python"), [script, go], {
      cwd: folder,
      env: { PATH: process.env.PATH, PYTHONPATH: join(checkoutRoot, "sdk/python") },
      stdio: ["ignore", "pipe", "inherit"],
    });
    atFileEnd(async () => void recorder.kill("SIGKILL"));
    await waitFor("half of it is recorded", () => recorder.stdout?.read() !== null, { timeoutMs: 180_000 });
    recorded = readdirSync(join(folder, "runs")).find((name) => name.startsWith("run_")) ?? "";
    // As a machine leaves it that went down in the middle of a record: another boot's process was writing it.
    const torn = join(folder, "torn", recorded);
    cpSync(join(folder, "runs", recorded), torn, { recursive: true });
    const id = `${recorded.slice(0, -1)}${recorded.endsWith("0") ? "1" : "0"}`;
    rewriteJson(join(torn, "run.json"), { runId: id });
    rewriteJson(join(torn, "rank-0", "writer.json"), { startedAt: "another-boot/1" });
    const records = join(torn, "rank-0", "records.bin");
    truncateSync(records, statSync(records).size - 3);
  });

  it("is sent as often as it grows, whole and without a double, though each pass is killed at every edge", async () => {
    const points = ["sync.run.opened", "sync.chunk.begun", "sync.records.sent", "sync.points.sent"];
    await throughDeaths(["sync", join(folder, "runs")], points);
    const run = await onlyRunFrom(recorded);
    expect(await pointsOf(run.id, "loss")).toHaveLength(40_000);

    writeFileSync(go, "");
    await once(recorder, "exit");
    await throughDeaths(["sync", join(folder, "runs"), "--follow"], ["sync.end.sent"]);
    const told = { points: 0, files: 0, ended: true, problems: [] };
    expect(await answer(["sync", join(folder, "runs")])).toMatchObject({ runs: [told] });

    const ended = await onlyRunFrom(recorded);
    expect(ended).toMatchObject({
      name: "recorded",
      experiment: "offline",
      status: 3,
      paramTexts: { lr: "0.1", name: "a b" },
    });
    expect(ended.tags.team).toBe("x");
    const values = (await pointsOf(ended.id, "loss")).map((point) => point.split(" "));
    expect(values.map(([step, , value]) => `${step} ${value}`)).toEqual(
      Array.from({ length: 40_100 }, (_, step) => `${step} ${1 / (step + 1)}`),
    );
    const odd = (await pointsOf(ended.id, "odd/ü")).map((point) => point.split(" ")[2]);
    expect(odd.sort()).toEqual(["-0", "-Infinity", "5e-324", "Infinity", "NaN"]);
    expect(await filesOf(ended.id)).toMatchObject({
      "reports/r.txt": 5,
      "environment.json": expect.any(Number),
    });
  });

  it("is sent up to where its machine went down, and has failed", async () => {
    const sent = await answer(["sync", join(folder, "torn"), "--ended", "failed"]);
    expect(sent).toMatchObject({ runs: [{ ended: true, problems: [] }] });
    const { runs } = sent as { readonly runs: readonly { readonly runId: string }[] };
    const { run } = await clients.tracking.getRun({ runId: runs[0]?.runId ?? "" });
    expect(run).toMatchObject({ status: 4 });
    // The record that was cut is the last one, of a file; every point before it is there.
    expect(await pointsOf(run?.id ?? "", "loss")).toHaveLength(40_000);
    expect(await pointsOf(run?.id ?? "", "odd/ü")).toHaveLength(5);
  });
});

describe("what MLflow tracked", () => {
  const database = unpackDatabase();
  const running = truth.database["still running"]?.id ?? "";
  addPoints(database, running, [10, 20]);
  const args = ["import", "mlflow", "--from", database];

  it("is brought over whole and once, though the import is killed at every edge, and repeated", async () => {
    const edges = [
      ...["import.run.opened", "import.batch.sent", "import.points.sent", "import.run.ended"],
      ...["import.model.opened", "import.model.described", "import.model.sent"],
    ];
    await throughDeaths(args, edges);
    // The run that goes on there logs one point more, and one between those that are here.
    addPoints(database, running, [30, 15]);
    const again = { runsNew: 0, runsContinued: 1, runsKnown: 3, points: 2, files: 0, loggedModels: 0 };
    expect(await answer(args)).toMatchObject(again);
    const grown = await pointsOf((await onlyRunFrom(running)).id, "late");
    expect(grown).toEqual([10, 15, 20, 30].map((time) => `0 ${time} ${time / 2}`));
    for (const [name, expected] of Object.entries(truth.database)) {
      const run = await onlyRunFrom(expected.id);
      expect(run).toMatchObject({ name, paramTexts: expected.params, tags: expected.tags });
      for (const [key, points] of Object.entries(expected.metrics))
        expect((await pointsOf(run.id, key)).sort()).toEqual(
          points.map(([time, step, value]) => `${step} ${time} ${numberOf(value)}`).sort(),
        );
      expect(await filesOf(run.id)).toEqual(expected.artifacts);
    }
  });

  it("is brought over with its logged models, whose versions have their files, and without prompts, which are told", async () => {
    const expected = truth.models.database;
    const models = await modelsFrom("vision & words");
    expect(models.map(({ name }) => name).sort()).toEqual(["begun", "net"]);
    for (const { id, name, status, tags, params, metrics, sourceRunId } of models) {
      const true_ = expected[name];
      expect({ params, status: registry.LoggedModelStatus[status] }).toEqual({
        params: true_?.params,
        status: true_?.status,
      });
      expect(tags).toMatchObject({ ...true_?.tags, "trainyard.source.model_id": true_?.id });
      const { files } = await clients.loggedModels.listLoggedModelFiles({ id });
      expect(Object.fromEntries(files.map(({ path, sizeBytes }) => [path, Number(sizeBytes)]))).toEqual(
        true_?.artifacts,
      );
      if (name !== "net") continue;
      const long = await onlyRunFrom(truth.database.long?.id ?? "");
      const child = await onlyRunFrom(truth.database.child?.id ?? "");
      expect(sourceRunId).toBe(long.id);
      expect(metrics.map(({ key, step, value, runId }) => [key, Number(step), value, runId])).toEqual([
        ["acc", 0, 0.5, long.id],
        ["f1", 0, 0.75, long.id],
        ["acc", 1, 0.25, long.id],
        ["acc", 2, 0.1 + 0.2, long.id],
      ]);
      const { links } = await clients.loggedModels.listModelLinks({ runIds: [long.id, child.id] });
      expect(links).toContainEqual(
        expect.objectContaining({ runId: long.id, modelId: id, output: true, step: 7n }),
      );
      expect(links.filter(({ runId, output }) => runId === child.id && !output)).toHaveLength(2);
      const { modelVersions } = await clients.registry.listModelVersions({ model: "net model" });
      expect(modelVersions).toMatchObject([{ loggedModelId: id, files: { length: files.length } }]);
    }
    // MLflow's client finds a version's files where they are here, of a run's too.
    const found = await mlflowGet("mlflow/model-versions/get-download-uri?name=digits+model&version=1");
    const { artifact_uri: uri } = JSON.parse(found) as { readonly artifact_uri: string };
    const place = uri.replace("mlflow-artifacts:/", "");
    expect(await mlflowGet(`mlflow-artifacts/artifacts/${place}/ü.txt`)).toBe("a plot");
    const { problems } = (await answer(args)) as { readonly problems: readonly unknown[] };
    expect(problems).toContainEqual({ what: "prompts", why: "prompts have no place here", count: 1 });
  });

  it("is brought over from a server, too: here from this platform, which speaks as MLflow's does", async () => {
    const { experiment } = await clients.experiments.getExperiment({ experiment: "vision & words" });
    const from = [
      "import",
      "mlflow",
      "--from",
      address.url,
      "--experiment",
      experiment?.name ?? "",
      "--no-models",
    ];
    const told = await answer(from, { MLFLOW_TRACKING_TOKEN: address.token });
    expect(told).toMatchObject({ runsNew: 4, points: 1118, files: 5, loggedModels: 2, problems: [] });
    const original = await onlyRunFrom(truth.database.long?.id ?? "");
    await expectSame(original.id, (await onlyRunFrom(original.id)).id);
    const models = (await modelsFrom("vision & words")).filter(({ name }) => name === "net");
    const [one, other] = await Promise.all(
      models.map(async ({ id, params, metrics }) => {
        const { files } = await clients.loggedModels.listLoggedModelFiles({ id });
        return { params, values: metrics.map(({ key, step, value }) => [key, step, value]), files };
      }),
    );
    expect(models).toHaveLength(2);
    expect(other).toEqual(one);
  });
});

describe("a bundle", () => {
  const file = join(data, "vision.trainyard");

  it("holds runs whole: another import of it makes the same runs again, once, though it is killed at every edge", async () => {
    const of = await Promise.all(
      ["long", "child"].map((name) => onlyRunFrom(truth.database[name]?.id ?? "")),
    );
    const noted = { runId: of[0]?.id ?? "", text: "a spike" };
    for (const step of [3n, 4n])
      await clients.runs.addNote({ ...noted, requestId: `note-${step}`, step, key: "loss" });
    const told = await answer(["export", "bundle", ...of.map(({ id }) => id), "-o", file]);
    expect(told).toMatchObject({ runs: 2, points: 1114, problems: [] });
    const args = ["import", "bundle", file, "--experiment", "moved"];
    const edges = [
      "import.run.opened",
      "import.batch.sent",
      "import.points.sent",
      "import.file.sent",
      "import.run.ended",
    ];
    await throughDeaths(args, edges);
    const { runs } = (await answer(args)) as { readonly runs: readonly Brought[] };
    expect(runs.map(({ outcome, points }) => [outcome, points])).toEqual(Array(2).fill(["known", 0]));
    for (const { from, runId } of runs) await expectSame(from, runId);
    const moved = runs.find(({ from }) => from === noted.runId)?.runId ?? "";
    const { notes } = await clients.runs.listNotes({ runId: moved, ofSteps: true });
    expect(notes.map(({ step, key, text }) => [step, key, text.startsWith("a spike")])).toEqual([
      [4n, "loss", true],
      [3n, "loss", true],
    ]);
    const compared = (await answer(["runs", "compare", ...runs.map(({ runId }) => runId)])) as Compared;
    expect(
      compared.params
        .filter(({ differs }) => differs)
        .map(({ name }) => name)
        .sort(),
    ).toEqual(Object.keys(truth.database.long?.params ?? {}).sort());
    const count = compared.metrics.find(({ key, aggregate }) => key === "loss" && aggregate === "count");
    expect(count?.values).toEqual([1100, 1]);
    const nested = runs.map(
      async ({ runId }) => (await clients.tracking.getRun({ runId })).run?.parentRunId !== "",
    );
    expect((await Promise.all(nested)).filter(Boolean)).toHaveLength(1);
  });

  it("is refused as a whole when a byte in it was changed", async () => {
    const bytes = readFileSync(file);
    const at = bytes.lastIndexOf("a plot");
    expect(at).toBeGreaterThan(0);
    bytes.write("A", at);
    const changed = join(data, "changed.trainyard");
    writeFileSync(changed, bytes);
    const refused = await command(["import", "bundle", changed, "--experiment", "refused"]);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain("it was changed");
    const { experiments } = await clients.tracking.listExperiments({});
    expect(experiments.map(({ name }) => name)).not.toContain("refused");
  });
});

/** Logs points of metric "late", all at step 0, as MLflow's server does. */
function addPoints(file: string, runId: string, timesMs: readonly number[]): void {
  const database = new DatabaseSync(file);
  const insert = database.prepare(
    "INSERT INTO metrics (key, value, timestamp, run_uuid, step, is_nan) VALUES ('late', ?, ?, ?, 0, 0)",
  );
  for (const timeMs of timesMs) insert.run(timeMs / 2, timeMs, runId);
  database.close();
}

/** What `runs compare --json` says of runs. */
interface Compared {
  readonly params: readonly { readonly name: string; readonly differs: boolean }[];
  readonly metrics: readonly {
    readonly key: string;
    readonly aggregate: string;
    readonly values: readonly unknown[];
  }[];
}

interface Brought {
  readonly from: string;
  readonly runId: string;
  readonly outcome: string;
  readonly points: number;
}

async function expectSame(from: string, to: string): Promise<void> {
  const [original, moved] = [
    (await clients.tracking.getRun({ runId: from })).run,
    (await clients.tracking.getRun({ runId: to })).run,
  ];
  const facts = (run: tracking.Run | undefined) => [
    run?.name,
    run?.status,
    run?.paramTexts,
    run?.note,
    run?.inputs,
  ];
  expect(facts(moved)).toEqual(facts(original));
  for (const key of Object.keys(original?.metrics ?? {}))
    expect(await pointsOf(to, key)).toEqual(await pointsOf(from, key));
  const { "trainyard/run.json": _record, ...files } = await filesOf(to);
  expect(files).toEqual(await filesOf(from));
}

function rewriteJson(file: string, changes: Readonly<Record<string, unknown>>): void {
  writeFileSync(file, JSON.stringify({ ...(JSON.parse(readFileSync(file, "utf8")) as object), ...changes }));
}

/** A number as Python wrote it, as JavaScript writes it. */
function numberOf(text: string): string {
  const named: Readonly<Record<string, string>> = {
    nan: "NaN",
    inf: "Infinity",
    "-inf": "-Infinity",
    "-0.0": "-0",
  };
  return named[text] ?? String(Number(text));
}
