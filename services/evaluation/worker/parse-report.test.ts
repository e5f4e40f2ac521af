import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parsePythonJson } from "./parse-python-json.ts";
import { parseReport, ReportError } from "./parse-report.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const report = {
  schema: 1,
  split: "test",
  rows: 3,
  metrics: { accuracy: 0.9 },
  confusion: [[3]],
  labels: [0],
};

describe("a report", () => {
  it("is read with its classes", () => {
    const perClass = [{ label: 0, precision: 1, recall: 0.5, f1: 0.7, support: 3 }];
    expect(parseReport(bytes(JSON.stringify({ ...report, perClass })))).toEqual({
      rows: 3,
      metrics: { accuracy: 0.9 },
      classes: [{ label: "0", precision: 1, recall: 0.5, f1: 0.7, support: 3 }],
    });
  });

  it("may hold NaN and the infinities as Python writes them", () => {
    const text =
      '{"schema": 1, "rows": 1, "split": "NaN \\"-Infinity", "metrics": {"loss": NaN, "a": -Infinity, "b": 1}}';
    expect(parseReport(bytes(text)).metrics).toEqual({ loss: Number.NaN, a: Number.NaN, b: 1 });
  });

  it.each([
    ["no JSON", "{", /^evaluation\.json is not valid JSON: /],
    ["no text", "\xff", /^evaluation\.json is not valid JSON: /],
    ["something else", "[]", /^evaluation\.json is not a report: it: /],
    ["another schema", JSON.stringify({ ...report, schema: 2 }), /schema: /],
    ["negative rows", JSON.stringify({ ...report, rows: -1 }), /rows: /],
    ["text for a number", JSON.stringify({ ...report, metrics: { accuracy: "1" } }), /metrics\.accuracy: /],
    ["a metric's name that is none", '{"schema":1,"rows":1,"metrics":{"$set":1}}', /metrics/],
    [
      "too many classes",
      JSON.stringify({
        ...report,
        perClass: Array(1001).fill({ label: 0, precision: 1, recall: 1, f1: 1, support: 1 }),
      }),
      /perClass: /,
    ],
  ])("is refused when it holds %s", (_what, text, message) => {
    const raw = text === "\xff" ? new Uint8Array([0xff, 0xfe]) : bytes(text);
    expect(() => parseReport(raw)).toThrow(ReportError);
    expect(() => parseReport(raw)).toThrow(message);
  });

  it("is read in one pass, however its quotes stand", () => {
    const begin = performance.now();
    expect(() => parsePythonJson('"\\'.repeat(500_000))).toThrow(SyntaxError);
    expect(performance.now() - begin).toBeLessThan(5_000);
  });

  it("is the same as plain JSON wherever it is plain JSON", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const json = JSON.stringify(value);
        expect(parsePythonJson(json)).toEqual(JSON.parse(json));
      }),
    );
  });
});
