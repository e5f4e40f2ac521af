import { create } from "@bufbuild/protobuf";
import { tracking } from "@trainyard/contracts";
import { describe, expect, it } from "vitest";
import { keysOf, parseColumns, tableColumns } from "./columns.ts";

describe("columns of a list of runs", () => {
  it.each<[string, unknown[]]>([
    [
      "run, status",
      [
        { kind: "attribute", name: "run" },
        { kind: "attribute", name: "status" },
      ],
    ],
    ["metrics.loss", [{ kind: "metric", key: "loss", aggregate: "last" }]],
    ["metric.val/loss.min", [{ kind: "metric", key: "val/loss", aggregate: "min" }]],
    ["metrics.`loss.min`", [{ kind: "metric", key: "loss.min", aggregate: "last" }]],
    [
      'metrics."a,b".max,tags.x',
      [
        { kind: "metric", key: "a,b", aggregate: "max" },
        { kind: "tag", key: "x" },
      ],
    ],
    [
      "params.a.b,params.`c d`",
      [
        { kind: "param", key: "a.b" },
        { kind: "param", key: "c d" },
      ],
    ],
    ["metrics.min", [{ kind: "metric", key: "min", aggregate: "last" }]],
  ])("%s", (text, expected) => {
    expect(parseColumns(text)).toEqual(expected);
  });

  it.each(["colour", "metrics.", "metrics.`a`.median", "param"])("%s is refused by name", (text) => {
    expect(() => parseColumns(text)).toThrow(`there is no column ${JSON.stringify(text)}`);
  });

  it("ask for each key once, and show what a run has of them", () => {
    const columns = parseColumns("name,metrics.loss,metrics.loss.min,params.lr,tags.none");
    expect(keysOf(columns)).toEqual({ metricKeys: ["loss"], paramKeys: ["lr"], tagKeys: ["none"] });
    const run = create(tracking.RunSchema, {
      name: "a",
      paramTexts: { lr: "0.1" },
      metrics: { loss: { last: 0.123456789, min: Number.NaN } },
    });
    const shown = (isTerminal: boolean) =>
      tableColumns(columns, { time: () => "", isTerminal }).map(({ title, cell }) => [title, cell(run)]);
    expect(shown(true)).toEqual([
      ["name", "a"],
      ["loss", "0.12346"],
      ["loss.min", "NaN"],
      ["params.lr", "0.1"],
      ["tags.none", ""],
    ]);
    expect(shown(false)[1]).toEqual(["loss", "0.123456789"]);
  });
});
