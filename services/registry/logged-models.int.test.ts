import { create } from "@bufbuild/protobuf";
import type { Client } from "@connectrpc/connect";
import { registry } from "@trainyard/contracts";
import { newId } from "@trainyard/domain";
import { fromConnectError } from "@trainyard/service";
import { waitFor } from "@trainyard/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { migrations } from "./store/migrations.ts";
import {
  as,
  blobsOfRegistry,
  clientOf,
  createdAgain,
  databaseOfRegistry,
  startRegistry,
  stopRegistry,
} from "./test-registry.ts";

let models: Client<typeof registry.LoggedModelService>;

beforeAll(async () => {
  await startRegistry();
  models = await clientOf(registry.LoggedModelService, "ada", ["submitter"]);
});
afterAll(stopRegistry);

interface Point {
  readonly key: string;
  readonly value: number;
  readonly step: number;
  readonly dataset?: string;
}

const pointOf = ({ key, value, step, dataset = "" }: Point) => ({
  ...{ key, value, step: BigInt(step), timeMs: BigInt(1e12 + step), runId: "run_1" },
  ...{ datasetName: dataset, datasetDigest: dataset === "" ? "" : "d1" },
});
const shortOf = ({ key, value, step }: registry.LoggedModelMetric) => ({ key, value, step: Number(step) });

async function aModel(experimentId: string, name = "net"): Promise<string> {
  const { model } = await models.createLoggedModel({ requestId: newId("req"), experimentId, name });
  return model?.id ?? "";
}

async function log(id: string, points: readonly Point[]): Promise<void> {
  await models.logModelMetrics({ requestId: newId("req"), id, metrics: points.map(pointOf) });
}

/** Every point, page by page. */
async function allPoints(id: string): Promise<registry.LoggedModelMetric[]> {
  const points: registry.LoggedModelMetric[] = [];
  let pageToken = "";
  do {
    const page = await models.listModelMetrics({ id, pageToken });
    points.push(...page.metrics);
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  return points;
}

describe("a logged model's points", () => {
  it("are 100,000 of four writers at once, each once and in the order of its writer", async () => {
    const id = await aModel(newId("exp"));
    const odd = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -0];
    const valueAt = (step: number) => odd[step % 1_000] ?? Math.sin(step);
    const batch = (key: string, n: number) =>
      Array.from({ length: 1_000 }, (_, k) => ({ key, step: n * 1_000 + k, value: valueAt(n * 1_000 + k) }));
    await Promise.all(
      ["a", "b", "c", "d"].map(async (key) => {
        for (let n = 0; n < 25; n++) await log(id, batch(key, n));
      }),
    );
    const byKey = Map.groupBy((await allPoints(id)).map(shortOf), ({ key }) => key);
    expect([...byKey.keys()].sort()).toEqual(["a", "b", "c", "d"]);
    for (const [key, points] of byKey) {
      expect(points).toHaveLength(25_000);
      // Object.is of each: 0 and -0 differ, and a list of so many is slow to compare as a whole.
      const wrong = points.find(({ step, value }, n) => step !== n || !Object.is(value, valueAt(n)));
      expect([key, wrong]).toEqual([key, undefined]);
    }
    const { model } = await models.getLoggedModel({ id });
    expect([model?.metricsOmitted, model?.metrics]).toEqual([true, []]);
    const database = await databaseOfRegistry();
    const [stats] = await database
      .collection<{ readonly _id: string }>("logged_models")
      .aggregate([{ $match: { _id: id } }, { $project: { bytes: { $bsonSize: "$$ROOT" } } }])
      .toArray();
    expect(stats?.bytes).toBeLessThan(2_000);
  }, 60_000);

  it("come with the model while they have room, equal ones once", async () => {
    const id = await aModel(newId("exp"));
    const points = [1, 2, 3].map((step) => ({ key: "a", value: step === 2 ? Number.NaN : step, step }));
    await log(id, [...points, ...points]);
    await log(id, [...points, { key: "b", value: 1, step: 0 }]);
    const { model } = await models.getLoggedModel({ id });
    expect(model?.metricsOmitted).toBe(false);
    expect(model?.metrics.map(shortOf)).toEqual([...points, { key: "b", value: 1, step: 0 }]);
  });

  it("are refused beyond the limits, by name, and nothing of them is kept", async () => {
    const id = await aModel(newId("exp"));
    const many = (count: number, from = 0) =>
      Array.from({ length: count }, (_, n) => ({ key: `metric ${from + n}`, value: 1, step: 0 }));
    const limitOf = async (call: Promise<unknown>) =>
      call.then(
        () => "none",
        (error) =>
          (fromConnectError(error) as { readonly metadata?: { readonly limit?: string } }).metadata?.limit,
      );
    expect(await limitOf(log(id, many(1_001)))).toBe("LOGGED_MODEL_POINTS_PER_CALL");
    for (let n = 0; n < 10; n++) await log(id, many(1_000, n * 1_000));
    expect(await limitOf(log(id, many(2, 9_999)))).toBe("LOGGED_MODEL_METRICS");
    await log(id, [{ key: "metric 0", value: 2, step: 1 }]);
    expect(await allPoints(id)).toHaveLength(10_001);
  });

  it("find it: any of them, on a dataset, and the last to come gives the order", async () => {
    const experimentId = newId("exp");
    const points: Readonly<Record<string, readonly Point[]>> = {
      up: [0.1, 0.5, 0.9].map((value, step) => ({ key: "acc", value, step })),
      down: [0.8, 0.5, 0.2].map((value, step) => ({ key: "acc", value, step, dataset: "iris" })),
      odd: [Number.NaN, 0.3].map((value, step) => ({ key: "acc", value, step })),
      none: [{ key: "loss", value: 0.5, step: 0 }],
    };
    for (const [name, its] of Object.entries(points)) await log(await aModel(experimentId, name), its);
    const { CatalogComparison: is } = registry;
    const named = async (
      clauses: readonly (readonly [registry.CatalogComparison, ...number[]])[],
      more: {
        readonly orderBy?: { field: string; descending: boolean }[];
        readonly datasets?: { name: string }[];
      } = {},
    ) => {
      const asked = clauses.map(([comparison, ...values]) => ({
        metric: "acc",
        comparison,
        values: values.map(String),
      }));
      const { models: found } = await models.searchLoggedModels({
        experimentIds: [experimentId],
        clauses: asked,
        orderBy: [{ field: "name", descending: false }],
        ...more,
      });
      return found.map(({ name }) => name);
    };
    expect(await named([[is.GREATER, 0.8]])).toEqual(["up"]);
    expect(await named([[is.AT_LEAST, 0.8]])).toEqual(["down", "up"]);
    expect(await named([[is.LESS, 0.2]])).toEqual(["up"]);
    expect(await named([[is.AT_MOST, 0.3]])).toEqual(["down", "odd", "up"]);
    expect(await named([[is.EQUAL, 0.5]])).toEqual(["down", "up"]);
    expect(
      await named([
        [is.EQUAL, 0.5],
        [is.GREATER, 0.8],
      ]),
    ).toEqual(["up"]);
    expect(await named([[is.NOT_EQUAL, 0.3]])).toEqual(["down", "odd", "up"]);
    expect(await named([[is.EQUAL, 0.5]], { datasets: [{ name: "iris" }] })).toEqual(["down"]);
    expect(await named([[is.GREATER, 0.8]], { datasets: [{ name: "iris" }] })).toEqual([]);
    const orderBy = [{ field: "metric:acc", descending: true }];
    expect(await named([], { orderBy })).toEqual(["up", "odd", "down", "none"]);
  });

  it("that an earlier version has stored in the model are moved beside it, also after half of it was", async () => {
    const id = await aModel(newId("exp"));
    const database = await databaseOfRegistry();
    const metrics = Array.from({ length: 450 }, (_, step) => ({
      ...{ key: "a", value: step, step, timeMs: step, runId: "run_1", datasetName: "", datasetDigest: "" },
    }));
    const stored = database.collection<{ readonly _id: string }>("logged_models");
    await stored.updateOne(
      { _id: id },
      { $set: { schemaVersion: 1, metrics }, $unset: { series: "", pointCount: "" } },
    );
    await database
      .collection<{ readonly _id: string }>("logged_model_points")
      .insertOne({ ...{ _id: `${id}:0`, modelId: id, number: 0, points: metrics.slice(0, 200) } });
    for (const { up } of migrations) await up(database, new AbortController().signal);
    await log(id, [{ key: "a", value: 450, step: 450 }]);
    expect((await allPoints(id)).map(({ value }) => value)).toEqual(Array.from({ length: 451 }, (_, n) => n));
  });
});

describe("a logged model's files", () => {
  it("gives up a removed version's files that no other version of the logged model has", async () => {
    const blobs = blobsOfRegistry();
    const made = { requestId: newId("req"), experimentId: newId("exp"), name: "net" };
    const id = (await models.createLoggedModel(made)).model?.id ?? "";
    const put = async (path: string) => {
      const { digest, sizeBytes } = await blobs.put(new TextEncoder().encode(path));
      const file = { path, digest, sizeBytes: BigInt(sizeBytes) };
      await models.putLoggedModelFile({ requestId: newId("req"), id, file });
      return digest;
    };
    const submitter = await as("ada", "submitter");
    const register = async () => {
      const version = { model: "of-logged", artifactUri: `models:/${id}`, loggedModelId: id };
      const answer = await submitter.registerModelVersion({ requestId: newId("req"), ...version });
      return answer.modelVersion ?? create(registry.ModelVersionSchema);
    };
    const [weights, notes] = [await put("net.pt"), await put("notes.txt")];
    const first = await register();
    await models.deleteLoggedModelFiles({ requestId: newId("req"), id, path: "notes.txt" });
    const second = await register();
    const catalog = await clientOf(registry.CatalogService, "root", ["admin"]);
    const remove = ({ id: version }: registry.ModelVersion) =>
      catalog.deleteModelVersion({ requestId: newId("req"), model: "of-logged", version });
    const isHeld = async (digest: string) => (await blobs.pins(digest)).includes(`model:default:${id}`);
    expect([await isHeld(weights), await isHeld(notes)]).toEqual([true, true]);
    await remove(first);
    await waitFor("what only the first had to be given up", async () => !(await isHeld(notes)));
    expect(await isHeld(weights)).toBe(true);
    await remove(second);
    await waitFor("the rest to be given up", async () => !(await isHeld(weights)));
    await createdAgain(second);
    expect(await isHeld(weights)).toBe(false);
  });
});
