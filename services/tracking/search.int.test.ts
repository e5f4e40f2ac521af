import { create, toBinary } from "@bufbuild/protobuf";
import { timestampDate, timestampFromMs } from "@bufbuild/protobuf/wkt";
import { tracking } from "@trainyard/contracts";
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { parseFilter } from "./domain/search/parse-filter.ts";
import { parseOrder } from "./domain/search/parse-order.ts";
import { runVocabulary } from "./domain/search/vocabulary.ts";
import { evaluateSearch } from "./test-evaluator.ts";
import { startSearch, type TestSearch } from "./test-search.ts";
import { filter, orderBy, outsideRun } from "./test-search-arbitraries.ts";
import type { TestTracking } from "./test-service.ts";
import { type Caller, errorOf, nextRequest, reasonOf } from "./test-users.ts";

const { LifecycleView } = tracking;

let service: TestTracking;
let ada: Caller;
let stranger: Caller;
let search: TestSearch["search"];
let names: TestSearch["names"];
let aRun: TestSearch["aRun"];
let log: TestSearch["log"];

beforeAll(async () => {
  ({ service, ada, stranger, search, names, aRun, log } = await startSearch());
});

describe("a search", () => {
  it("sees what was logged a moment before, by any aggregate", async () => {
    const experiment = "fresh";
    for (const [name, values] of Object.entries({ a: [3, 1, 2], b: [9, 0, 4], c: [5, 5, 5] })) {
      await log(await aRun({ experiment, name }), { loss: values, "loss.min": [7] });
    }
    const of = (filter: string, ...orderBy: string[]) =>
      names({ experiments: [experiment], filter, orderBy });
    expect(await of("metrics.loss.min < 2", "metrics.loss.min")).toEqual(["b", "a"]);
    expect(await of("metrics.loss >= 4", "metrics.loss.max DESC")).toEqual(["b", "c"]);
    expect(await of("metrics.loss.first > 3 AND metrics.loss.mean < 5")).toEqual(["b"]);
    expect(await of('metrics."loss.min" = 7', "metrics.loss.count", "run_name DESC")).toEqual([
      "c",
      "b",
      "a",
    ]);
    expect(
      await names({ experiments: [experiment], filter: "metrics.loss.min = 7", plainMetricKeys: true }),
    ).toHaveLength(3);
  });

  it("orders NaN after numbers and what is missing last, whichever the direction", async () => {
    const experiment = "nan";
    const values = { none: undefined, nan: Number.NaN, low: -1, high: 1, inf: Number.POSITIVE_INFINITY };
    for (const [name, value] of Object.entries(values)) {
      const runId = await aRun({ experiment, name });
      if (value !== undefined) await log(runId, { m: [value] });
    }
    const of = (filter: string, ...orderBy: string[]) =>
      names({ experiments: [experiment], filter, orderBy });
    expect(await of("", "metrics.m")).toEqual(["low", "high", "inf", "nan", "none"]);
    expect(await of("", "metrics.m DESC")).toEqual(["inf", "high", "low", "nan", "none"]);
    expect(await of("metrics.m > -5", "metrics.m")).toEqual(["low", "high", "inf"]);
    expect(await of("metrics.m != 1", "metrics.m")).toEqual(["low", "inf", "nan"]);
    expect(await of("metrics.m IS NULL")).toEqual(["none"]);
    const { runs } = await search({ experiments: [experiment], orderBy: ["metrics.m"] }, undefined, {
      allMetrics: true,
    });
    expect(runs.map((run) => run.metrics.m?.last)).toEqual([
      -1,
      1,
      Number.POSITIVE_INFINITY,
      Number.NaN,
      undefined,
    ]);
  });

  it("fills only the columns asked for", async () => {
    const experiment = "columns";
    const runId = await aRun({ experiment, params: { a: "1", b: "2" }, tags: { c: "3", d: "4" } });
    await log(runId, { x: [1], y: [2] });
    await ada.runs.logInputs({ requestId: nextRequest(), runId, inputs: [{ name: "d", digest: "e" }] });
    const one = async (fields: Partial<tracking.RunFields>) =>
      (await search({ experiments: [experiment] }, undefined, fields)).runs[0] ?? create(tracking.RunSchema);
    expect(await one({})).toMatchObject({ paramTexts: {}, tags: {}, metrics: {}, inputs: [] });
    const some = await one({ paramKeys: ["b", "none"], tagKeys: ["c"], metricKeys: ["y"] });
    expect([some.paramTexts, some.params, some.tags, Object.keys(some.metrics)]).toEqual([
      { b: "2" },
      { b: "2" },
      { c: "3" },
      ["y"],
    ]);
    const all = await one({ allParams: true, allTags: true, allMetrics: true, inputs: true });
    expect([all.paramTexts, all.tags, Object.keys(all.metrics)]).toEqual([
      { a: "1", b: "2" },
      { c: "3", d: "4" },
      ["x", "y"],
    ]);
    expect(all.inputs.map(({ name }) => name)).toEqual(["d"]);
  });

  it("reads nothing of 12,000 metrics but those that are asked for", async () => {
    const experiment = "wide";
    const runId = await aRun({ experiment });
    const keys = Array.from({ length: 12_000 }, (_, n) => `layer ${n}/norm`);
    for (let begin = 0; begin < keys.length; begin += 4_000) {
      await log(runId, Object.fromEntries(keys.slice(begin, begin + 4_000).map((key) => [key, [1, 2]])));
    }
    const all = await search({ experiments: [experiment] }, undefined, { allMetrics: true });
    expect(Object.keys(all.runs[0]?.metrics ?? {})).toHaveLength(12_000);
    const summaries = service.store.db.collection("metric_summaries");
    const readsOf = async () => {
      const [stats] = await summaries.aggregate([{ $collStats: { latencyStats: {} } }]).toArray();
      return Number(stats?.latencyStats.reads.ops);
    };
    // Asking for the number is a read, too.
    const asking = -(await readsOf()) + (await readsOf());
    const before = await readsOf();
    const bare = await search({ experiments: [experiment], filter: "run_name != ''" });
    expect(bare.runs.map(({ metrics: shown }) => shown)).toEqual([{}]);
    const after = await readsOf();
    expect(after - before - asking).toBe(0);
    const one = await search({ experiments: [experiment] }, undefined, { metricKeys: ["layer 9/norm"] });
    expect(Object.keys(one.runs[0]?.metrics ?? {})).toEqual(["layer 9/norm"]);
    expect((await readsOf()) - after - asking).toBeGreaterThan(0);
    expect(toBinary(tracking.RunSchema, one.runs[0] ?? create(tracking.RunSchema)).length).toBeLessThan(
      1_000,
    );
  });

  it("shows by lifecycle, and takes the runs of a deleted experiment for deleted", async () => {
    const experiment = "lifecycles";
    await aRun({ experiment, name: "active" });
    const archived = await aRun({ experiment, name: "archived" });
    const deleted = await aRun({ experiment, name: "deleted" });
    await ada.runs.archiveRun({ requestId: nextRequest(), runId: archived });
    await ada.runs.deleteRun({ requestId: nextRequest(), runId: deleted });
    const of = async (view: tracking.LifecycleView) =>
      (await names({ experiments: [experiment], view })).sort();
    expect(await of(LifecycleView.UNSPECIFIED)).toEqual(["active"]);
    expect(await of(LifecycleView.ARCHIVED)).toEqual(["archived"]);
    expect(await of(LifecycleView.DELETED)).toEqual(["deleted"]);
    expect(await of(LifecycleView.ALL)).toEqual(["active", "archived", "deleted"]);
    await ada.experiments.deleteExperiment({ requestId: nextRequest(), experiment });
    expect(await of(LifecycleView.ACTIVE)).toEqual([]);
    expect(await of(LifecycleView.DELETED)).toEqual(["active", "archived", "deleted"]);
    const everywhere = await names({ filter: "run_name = 'active'" });
    expect(everywhere).toEqual([]);
  });

  it("of favourites shows the caller's own", async () => {
    const experiment = "favourites";
    const [liked] = [await aRun({ experiment, name: "liked" }), await aRun({ experiment, name: "other" })];
    await ada.runs.setFavourite({ requestId: nextRequest(), runId: liked, favourite: true });
    const { runs } = await search({ experiments: [experiment], favouritesOnly: true });
    expect(runs.map(({ name, favourite }) => [name, favourite])).toEqual([["liked", true]]);
  });

  it.each<[string, readonly string[]]>([
    ["by start", []],
    ["by a metric with equal values", ["metrics.m"]],
    ["by a parameter that some lack", ["params.p DESC"]],
  ])("goes through pages %s, each run once, while others are inserted", async (what, orderBy) => {
    const experiment = `pages ${what}`;
    const expected = new Set<string>();
    for (let n = 0; n < 12; n++) {
      const params: Record<string, string> = n % 3 === 0 ? {} : { p: String(n % 2) };
      const id = await aRun({ experiment, params, startedAt: timestampFromMs(1e12 + (n % 4)) });
      if (n % 4 !== 1) await log(id, { m: [n % 2 === 0 ? 1 : Number.NaN] });
      expected.add(id);
    }
    const seen: string[] = [];
    let token = "";
    do {
      const { runs, next } = await search(
        { experiments: [experiment], orderBy: [...orderBy] },
        { pageSize: 5, pageToken: token },
      );
      seen.push(...runs.map(({ id }) => id).filter((id) => expected.has(id)));
      token = next;
      // Before, and after, whatever was seen.
      await aRun({ experiment, params: { p: "9" } });
      await aRun({ experiment, params: { p: "" }, startedAt: timestampFromMs(0) });
    } while (token !== "" && seen.length < 50);
    expect(seen).toHaveLength(expected.size);
    expect(new Set(seen)).toEqual(expected);
  });

  it("lets the next column decide between more equals than it looks at first", async () => {
    const experiment = "equals";
    const expected = [];
    for (let n = 0; n < 12; n++) {
      const name = `run ${String((n * 7) % 12).padStart(2, "0")}`;
      await log(await aRun({ experiment, name }), { m: [n === 5 ? 0 : 1] });
      expected.push(name);
    }
    const [first] = expected.splice(5, 1);
    const { runs } = await search(
      { experiments: [experiment], orderBy: ["metrics.m", "run_name"] },
      { pageSize: 1, pageToken: "" },
    );
    expect(runs.map(({ name }) => name)).toEqual([first]);
    const last = { experiments: [experiment], orderBy: ["metrics.m DESC", "run_name"] };
    const page = await search(last, { pageSize: 1, pageToken: "" });
    expect(page.runs.map(({ name }) => name)).toEqual([expected.sort()[0]]);
  });

  it("goes through many equals, then NaN, then those without the metric, each as they started", async () => {
    const experiment = "groups";
    const started = (n: number) => ({ name: `${n}`, startedAt: timestampFromMs(1e12 + n) });
    const expected: Record<string, string[]> = { best: [], equal: [], nan: [], none: [] };
    for (let n = 0; n < 40; n++) {
      const runId = await aRun({ experiment, ...started(n) });
      const group = n === 11 || n === 12 ? "best" : n % 10 === 3 ? "nan" : n % 10 === 7 ? "none" : "equal";
      const value = { best: 20 - n, equal: 10, nan: Number.NaN, none: undefined }[group];
      if (value !== undefined) await log(runId, { m: [value] });
      // What is not shown lies between the others all the same.
      if (n % 9 === 5) await ada.runs.archiveRun({ requestId: nextRequest(), runId });
      else expected[group]?.unshift(String(n));
    }
    const { best = [], equal = [], nan = [], none = [] } = expected;
    const asked = async (changes: { readonly filter?: string; readonly orderBy: string[] }) => {
      const found: string[] = [];
      let pageToken = "";
      do {
        const { runs, next } = await search(
          { experiments: [experiment], ...changes },
          { pageSize: 2, pageToken },
        );
        found.push(...runs.map(({ name }) => name));
        pageToken = next;
      } while (pageToken !== "");
      return found;
    };
    expect(await asked({ orderBy: ["metrics.m"] })).toEqual([...best, ...equal, ...nan, ...none]);
    expect(await asked({ orderBy: ["metrics.m DESC"] })).toEqual([
      ...equal,
      ...[...best].reverse(),
      ...nan,
      ...none,
    ]);
    const oldest = [...equal].reverse();
    expect(await asked({ orderBy: ["metrics.m.max DESC", "start_time"], filter: "metrics.m >= 10" })).toEqual(
      oldest,
    );
    const named = { orderBy: ["metrics.m"], filter: "run_name LIKE '2%' AND metrics.m IS NOT NULL" };
    const two = (names: readonly string[]) => names.filter((name) => name.startsWith("2"));
    expect(await asked(named)).toEqual([...two(equal), ...two(nan)]);
  });

  it("refuses a token of another query", async () => {
    const experiment = "search tokens";
    for (let n = 0; n < 2; n++) await aRun({ experiment });
    const { next } = await search({ experiments: [experiment] }, { pageSize: 1, pageToken: "" });
    const call = search(
      { experiments: [experiment], filter: "run_name = 'x'" },
      { pageSize: 1, pageToken: next },
    );
    expect(await reasonOf(call)).toBe("INVALID_PAGE_TOKEN");
  });

  it("says where a filter is wrong, and which experiment there is not", async () => {
    const error = await errorOf(search({ filter: "metrics.a > 'x'" }));
    expect(error).toMatchObject({ reason: "FILTER_INVALID", metadata: { position: "13" } });
    expect(error.violations).toEqual([
      { field: "filter", description: expect.stringContaining("at character 13: expected a number") },
    ]);
    expect(await reasonOf(search({ experiments: ["not there"] }))).toBe("EXPERIMENT_NOT_FOUND");
    const { runs } = await search({ experiments: ["fresh"] });
    const foreign = stranger.runs.searchRuns({ experiments: [runs[0]?.experimentId ?? ""] });
    expect(await reasonOf(foreign)).toBe("EXPERIMENT_NOT_FOUND");
    expect((await stranger.runs.searchRuns({})).runs).toEqual([]);
  });
});

describe("any filter and order", () => {
  const experiment = "property";
  let runs: readonly tracking.Run[] = [];

  beforeAll(async () => {
    const random = fc.sample(outsideRun, { seed: 20_261_121, numRuns: 40 });
    for (const { metrics: logged, inputs, ...run } of random) {
      const runId = await aRun({ experiment, ...run });
      if (Object.keys(logged).length > 0) await log(runId, logged);
      if (inputs.length > 0) await ada.runs.logInputs({ requestId: nextRequest(), runId, inputs });
    }
    const all = { allParams: true, allTags: true, allMetrics: true, inputs: true };
    ({ runs } = await search({ experiments: [experiment] }, undefined, all));
  });

  it("finds what a plain evaluation of the same runs finds, in that order, page by page", async () => {
    expect(runs).toHaveLength(40);
    await fc.assert(
      fc.asyncProperty(filter, orderBy, fc.constantFrom(7, 13, 40), async (asked, order, pageSize) => {
        const options = { vocabulary: runVocabulary };
        const expected = evaluateSearch(runs, parseFilter(asked, options), parseOrder(order, options));
        const found: string[] = [];
        let pageToken = "";
        do {
          const page = await search(
            { experiments: [experiment], filter: asked, orderBy: order },
            { pageSize, pageToken },
          );
          found.push(...page.runs.map(({ id }) => id));
          pageToken = page.next;
        } while (pageToken !== "");
        expect(found).toEqual(expected.map(({ id }) => id));
      }),
      { numRuns: 60 },
    );
  }, 120_000);
});

describe("experiments", () => {
  it("are searched by name, tags and times, in order, page by page", async () => {
    for (const name of ["find me 1", "find me 2", "find me 3"]) {
      await ada.tracking.createExperiment({ requestId: nextRequest(), name, tags: { team: name.slice(-1) } });
    }
    const of = async (filter: string, orderBy: string[] = [], view = LifecycleView.ACTIVE) =>
      (await ada.experiments.searchExperiments({ filter, orderBy, view })).experiments.map(
        ({ name }) => name,
      );
    expect(await of("name LIKE 'find me%'")).toEqual(["find me 3", "find me 2", "find me 1"]);
    expect(await of("name ILIKE 'FIND ME%' AND tags.team != '2'", ["name"])).toEqual([
      "find me 1",
      "find me 3",
    ]);
    await ada.experiments.setExperimentTags({
      requestId: nextRequest(),
      experiment: "find me 1",
      tags: { x: "y" },
    });
    expect(await of("name LIKE 'find me%'")).toEqual(["find me 1", "find me 3", "find me 2"]);
    await ada.experiments.deleteExperiment({ requestId: nextRequest(), experiment: "find me 2" });
    expect(await of("name LIKE 'find me%'", [], LifecycleView.DELETED)).toEqual(["find me 2"]);
    const first = await ada.experiments.searchExperiments({
      filter: "name LIKE 'find me%'",
      orderBy: ["name DESC"],
      page: { pageSize: 1 },
    });
    const second = await ada.experiments.searchExperiments({
      filter: "name LIKE 'find me%'",
      orderBy: ["name DESC"],
      page: { pageSize: 1, pageToken: first.page?.nextPageToken ?? "" },
    });
    expect([...first.experiments, ...second.experiments].map(({ name }) => name)).toEqual([
      "find me 3",
      "find me 1",
    ]);
    expect(second.page?.nextPageToken).toBe("");
    const { experiment } = await ada.experiments.getExperiment({ experiment: "find me 3" });
    const at = experiment?.createdAt === undefined ? 0 : timestampDate(experiment.createdAt).getTime();
    expect(await of(`creation_time = ${at} AND owner = 'user:ada'`)).toEqual(["find me 3"]);
  });
});
