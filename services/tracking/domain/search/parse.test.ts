import { isDomainError } from "@trainyard/domain";
import { describe, expect, it } from "vitest";
import type { Comparison } from "./comparison.ts";
import { MAX_COMPARISONS, MAX_FILTER_LENGTH, MAX_LIST_VALUES, parseFilter } from "./parse-filter.ts";
import { MAX_ORDER_KEYS, parseOrder } from "./parse-order.ts";
import { experimentVocabulary, runVocabulary } from "./vocabulary.ts";

const options = { vocabulary: runVocabulary };
const metric = (key: string, aggregate = "last") => ({ kind: "metric", key, aggregate });
const param = (key: string) => ({ kind: "param", key });
const tag = (key: string) => ({ kind: "tag", key });
const attribute = (name: string) => ({ kind: "attribute", name });

function refusal(parse: () => unknown) {
  try {
    parse();
  } catch (error) {
    if (isDomainError(error)) return error;
    throw error;
  }
  throw new Error("it was taken");
}

describe("a filter", () => {
  it.each<[string, readonly unknown[]]>([
    ["", []],
    ["   ", []],
    ["metrics.acc > 0.9", [{ column: metric("acc"), test: { is: ">", value: 0.9 } }]],
    ["metric.acc>=-1e-3", [{ column: metric("acc"), test: { is: ">=", value: -0.001 } }]],
    ["metrics.acc != .5", [{ column: metric("acc"), test: { is: "!=", value: 0.5 } }]],
    ["metrics.loss < inf", [{ column: metric("loss"), test: { is: "<", value: Number.POSITIVE_INFINITY } }]],
    ["metrics.loss.min <= 1", [{ column: metric("loss", "min"), test: { is: "<=", value: 1 } }]],
    ["metrics.val/loss.mean = 2", [{ column: metric("val/loss", "mean"), test: { is: "=", value: 2 } }]],
    ["metrics.a.b.c > 2", [{ column: metric("a.b.c"), test: { is: ">", value: 2 } }]],
    ['metrics."loss.min" > 2', [{ column: metric("loss.min"), test: { is: ">", value: 2 } }]],
    ["metrics.`loss.min`.max > 2", [{ column: metric("loss.min", "max"), test: { is: ">", value: 2 } }]],
    ["metrics.min > 2", [{ column: metric("min"), test: { is: ">", value: 2 } }]],
    ["params.lr = '0.1'", [{ column: param("lr"), test: { is: "=", value: "0.1" } }]],
    ['parameters.lr = "0.1"', [{ column: param("lr"), test: { is: "=", value: "0.1" } }]],
    ["params.name = 'it''s'", [{ column: param("name"), test: { is: "=", value: "it's" } }]],
    [
      "tags.`a ``b` LIKE '%x_'",
      [{ column: tag("a `b"), test: { is: "like", pattern: "%x_", ignoreCase: false } }],
    ],
    ["tag.\"a b\" ilike 'X'", [{ column: tag("a b"), test: { is: "like", pattern: "X", ignoreCase: true } }]],
    ["tags.mlflow.user IS NULL", [{ column: tag("mlflow.user"), test: { is: "null" } }]],
    ["params.x is  not null", [{ column: param("x"), test: { is: "not null" } }]],
    ["attributes.status = 'RUNNING'", [{ column: attribute("status"), test: { is: "=", value: "RUNNING" } }]],
    ["run_id IN ('a', 'b')", [{ column: attribute("run_id"), test: { is: "in", values: ["a", "b"] } }]],
    ["run_id not in ('a')", [{ column: attribute("run_id"), test: { is: "not in", values: ["a"] } }]],
    ["attr.`Run name` = 'a'", [{ column: attribute("run_name"), test: { is: "=", value: "a" } }]],
    ["created >= 1000", [{ column: attribute("start_time"), test: { is: ">=", value: 1000 } }]],
    [
      "end_time < '2026-11-21'",
      [{ column: attribute("end_time"), test: { is: "<", value: Date.UTC(2026, 10, 21) } }],
    ],
    ["datasets.name = 'd'", [{ column: { kind: "dataset", field: "name" }, test: { is: "=", value: "d" } }]],
    [
      "metrics.a > 1 and params.b = 'c' AND tags.d != 'and'",
      [
        { column: metric("a"), test: { is: ">", value: 1 } },
        { column: param("b"), test: { is: "=", value: "c" } },
        { column: tag("d"), test: { is: "!=", value: "and" } },
      ],
    ],
  ])("%s", (text, expected) => {
    expect(parseFilter(text, options)).toEqual(expected);
  });

  it("as MLflow reads it has no aggregates in plain keys", () => {
    const plain = { ...options, plainMetricKeys: true };
    const keys = (text: string) => parseFilter(text, plain).map(({ column }: Comparison) => column);
    expect(keys("metrics.loss.min > 1")).toEqual([metric("loss.min")]);
    expect(refusal(() => parseFilter("metrics.`loss`.min > 1", plain)).metadata).toMatchObject({
      position: "15",
    });
  });

  it.each<[string, number, string]>([
    ["metrics.acc", 12, "one of =, !=, <, <=, >, >=, IS NULL, IS NOT NULL"],
    ["metrics.acc >", 14, "a number"],
    ["metrics.acc > 'x'", 15, "a number"],
    ["metrics.acc > 1x", 15, "a number"],
    ["metrics.acc LIKE 'x'", 13, "one of =, !=, <, <=, >, >=, IS NULL, IS NOT NULL"],
    ["metrics.acc > 1 OR metrics.b > 1", 17, "AND or the end"],
    ["(metrics.acc > 1)", 1, "metrics.<key>, params.<key>, tags.<key>"],
    ["metrics.acc > 1 AND", 20, "metrics.<key>, params.<key>, tags.<key>"],
    ["params.lr = 0.1", 13, "a text in quotes, such as 'a text'"],
    ["params.lr > '0.1'", 11, "one of =, !=, LIKE, ILIKE, IN, NOT IN, IS NULL, IS NOT NULL"],
    ["params.lr = '0.1", 13, "a closing ' for the text that begins here"],
    ["params. = 'x'", 9, "a key after params."],
    ["params.`` = 'x'", 8, "a key of at least one character"],
    ["parms.lr = 'x'", 1, "metrics.<key>, params.<key>, tags.<key>"],
    ["colour = 'x'", 1, "metrics.<key>, params.<key>, tags.<key>"],
    ["attributes.colour = 'x'", 12, "metrics.<key>, params.<key>, tags.<key>"],
    ["attributes.constructor = 'x'", 12, "metrics.<key>, params.<key>, tags.<key>"],
    ["constructor.x = 'x'", 1, "metrics.<key>, params.<key>, tags.<key>"],
    ["run_id IN 'a'", 11, "( and a list of values"],
    ["run_id IN ('a' 'b')", 16, ", or )"],
    ["run_id IN ()", 12, "a text in quotes, such as 'a text'"],
    ["start_time = 'yesterday'", 14, "a time: milliseconds since 1970, or ISO 8601 in quotes"],
    ["dataset.size = 'x'", 9, "one of dataset.name, dataset.digest, dataset.context"],
    ["dataset.name IS NULL", 14, "one of =, !=, LIKE, ILIKE, IN, NOT IN"],
    ["metrics.`a`.median > 1", 13, "one of last, first, min, max, mean, count"],
    ["  params.lr = = 'x'", 15, "a text in quotes, such as 'a text'"],
  ])("%s is refused at character %i", (text, position, expected) => {
    const error = refusal(() => parseFilter(text, options));
    expect(error).toMatchObject({ code: "invalid_argument", reason: "FILTER_INVALID" });
    expect(error.metadata).toEqual({
      position: String(position),
      expected: expect.stringContaining(expected),
    });
    expect(error.message).toContain(`filter: at character ${position}: expected `);
  });

  it.each<[string, string, string]>([
    ["MAX_FILTER_LENGTH", `params.a = '${"x".repeat(MAX_FILTER_LENGTH)}'`, String(MAX_FILTER_LENGTH + 13)],
    [
      "MAX_COMPARISONS",
      Array(MAX_COMPARISONS + 1)
        .fill("a.b = 1")
        .join(" AND ")
        .replaceAll("a.b", "metrics.x"),
      String(MAX_COMPARISONS + 1),
    ],
    [
      "MAX_LIST_VALUES",
      `run_id IN (${Array(MAX_LIST_VALUES + 1)
        .fill("'a'")
        .join(",")})`,
      String(MAX_LIST_VALUES + 1),
    ],
  ])("beyond %s is refused with the limit and what was given", (limit, text, got) => {
    expect(refusal(() => parseFilter(text, options))).toMatchObject({
      reason: "LIMIT_EXCEEDED",
      metadata: { limit, got },
    });
  });

  it("of experiments knows their attributes and tags, and no metrics", () => {
    const of = { vocabulary: experimentVocabulary };
    expect(parseFilter("name LIKE 'a%' AND tags.x = 'y' AND creation_time > 5", of)).toHaveLength(3);
    expect(refusal(() => parseFilter("metrics.a > 1", of)).metadata).toMatchObject({ position: "1" });
    expect(refusal(() => parseFilter("status = 'x'", of)).metadata).toMatchObject({ position: "1" });
  });
});

describe("an order", () => {
  it.each<[string, unknown]>([
    ["metrics.loss.min ASC", { column: metric("loss", "min"), descending: false }],
    ["metrics.`a b` desc", { column: metric("a b"), descending: true }],
    ["params.lr", { column: param("lr"), descending: false }],
    ["attributes.start_time DESC", { column: attribute("start_time"), descending: true }],
    ["Created", { column: attribute("start_time"), descending: false }],
  ])("%s", (text, expected) => {
    expect(parseOrder([text], options)).toEqual([expected]);
  });

  it.each<[readonly string[], string, number]>([
    [["metrics.a", "metrics.b down"], "order_by[1]", 11],
    [["metrics.a ASC DESC"], "order_by[0]", 15],
    [["dataset.name"], "order_by[0]", 1],
    [[""], "order_by[0]", 1],
  ])("%j is refused", (texts, field, position) => {
    const error = refusal(() => parseOrder(texts, options));
    expect(error).toMatchObject({ reason: "ORDER_BY_INVALID", metadata: { position: String(position) } });
    expect(error.violations[0]?.field).toBe(field);
  });

  it("does not name a column twice, nor too many", () => {
    expect(refusal(() => parseOrder(["metrics.a", "metric.a DESC"], options)).reason).toBe(
      "ORDER_BY_INVALID",
    );
    const many = Array.from({ length: MAX_ORDER_KEYS + 1 }, (_, n) => `metrics.m${n}`);
    expect(refusal(() => parseOrder(many, options)).metadata).toMatchObject({
      limit: "MAX_ORDER_KEYS",
      got: "11",
    });
  });
});
