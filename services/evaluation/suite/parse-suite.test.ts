import { readFileSync } from "node:fs";
import { isDomainError } from "@trainyard/domain";
import { describe, expect, it } from "vitest";
import { sameContent } from "../domain/suite.ts";
import { parseSuite } from "./parse-suite.ts";

const example = readFileSync(new URL("../../../examples/digits/suite.yaml", import.meta.url), "utf8");

function problemOf(yaml: string): string {
  try {
    parseSuite(yaml);
  } catch (error) {
    if (isDomainError(error)) return `${error.reason} ${error.message}`;
    throw error;
  }
  return "none";
}

describe("a suite file", () => {
  it("is read with its defaults", () => {
    expect(parseSuite(example)).toEqual({
      name: "digits",
      dataset: "digits",
      datasetVersion: "latest",
      split: "test",
      target: "label",
      gates: [
        { metric: "accuracy", op: "ge", value: 0.93, perClass: false },
        { metric: "latency_p95_ms", op: "lt", value: 50, perClass: false },
        { metric: "recall", op: "ge", value: 0.8, perClass: true },
      ],
    });
  });

  it.each([
    [
      "an unknown field",
      example.replace("split:", "splitt:"),
      /^SUITE_INVALID suite\.yaml:6:\d+: .*did you mean "split"/,
    ],
    [
      "an operator that is none",
      example.replace('">="', '"=>"'),
      /suite\.yaml:9:\d+: gates\.0\.op: expected one of >=, >, <=, </,
    ],
    [
      "a metric that no class has",
      example.replace("recall", "accuracy"),
      /suite\.yaml:11:\d+: gates\.2\.metric: expected one of precision, recall, f1/,
    ],
    ["no gates", example.replace(/gates:[\s\S]*/, "gates: []\n"), /expected at least one gate/],
    ["no YAML", "name: [", /^SUITE_INVALID suite\.yaml:\d+:\d+: /],
  ])("is refused with the place of %s", (_what, yaml, message) => {
    expect(problemOf(yaml)).toMatch(message);
  });

  it("has the same content whatever its comments and order of fields", () => {
    const reordered = example.replace("split: test\ntarget: label", "target: label\nsplit: test # held out");
    expect(reordered).not.toBe(example);
    expect(sameContent(parseSuite(example), parseSuite(reordered))).toBe(true);
    expect(sameContent(parseSuite(example), parseSuite(example.replace("0.93", "0.94")))).toBe(false);
  });
});
