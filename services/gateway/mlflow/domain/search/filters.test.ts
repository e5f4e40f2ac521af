import { describe, expect, it } from "vitest";
import { modelFilter } from "./models.ts";
import { runFilter, runOrder } from "./runs.ts";

describe("a filter of runs", () => {
  it.each([
    ["metrics.loss > 0.3 and params.lr = '0.1'", "metrics.`loss` > 0.3 AND params.`lr` = '0.1'"],
    ["tags.`a b` ILIKE '%x%'", "tags.`a b` ILIKE '%x%'"],
    ["status = 'FINISHED'", "attributes.status = 'FINISHED'"],
    ['attributes.`run name` = "it\'s"', "attributes.run_name = 'it''s'"],
    [`params."a\`b" = 'c"d'`, `params.\`a\`\`b\` = 'c"d'`],
    ["run_id IN ('a', 'b')", "attributes.run_id IN ('a', 'b')"],
    ["params.lr IS NOT NULL", "params.`lr` IS NOT NULL"],
    ["created > 5", "attributes.start_time > 5"],
  ])("%s", (filter, written) => expect(runFilter(filter)).toBe(written));

  it.each([
    ["constructor.x = 'y'", "Invalid entity type 'constructor'"],
    ["__proto__.x = 'y'", "Invalid entity type '__proto__'"],
    ["metrics.loss > 'x'", "Expected numeric value type for metric"],
    ["metrics.a > 1 OR metrics.b > 1", "Invalid clause(s) in filter string"],
    ["'".repeat(99_999), "Invalid clause(s)"],
    ["(".repeat(99_999), "Invalid clause(s)"],
    ["x".repeat(100_001), "exceeds the maximum length of 100000 characters"],
  ])("is refused in MLflow's words: %.40s", (filter, words) =>
    expect(() => runFilter(filter)).toThrow(words),
  );

  it("has an order", () => {
    expect(runOrder("metrics.`a b` DESC")).toBe("metrics.`a b` DESC");
    expect(() => runOrder("metrics.a SIDEWAYS")).toThrow("Invalid ordering key");
  });
});

describe("a filter of models", () => {
  it.each([
    ["name > 'x'", "Invalid comparator for attribute: >"],
    ["tags.colour > 'x'", "Invalid comparator for tag: >"],
  ])("is refused in the registry's words: %s", (filter, words) =>
    expect(() => modelFilter(filter)).toThrow(words),
  );
});
