import { DomainError } from "@trainyard/domain";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { maxYamlBytes, parseYaml } from "./index.ts";

const schema = z.strictObject({
  name: z.string(),
  ranks: z.int().min(1),
  priority: z.enum(["low", "normal", "high"]).optional(),
  columns: z.array(z.strictObject({ name: z.string(), type: z.string().optional() })).optional(),
});
const options = { fileName: "job.yaml", reason: "JOB_INVALID" };

function problem(text: string): DomainError {
  try {
    parseYaml(text, schema, options);
  } catch (error) {
    if (error instanceof DomainError) return error;
    throw error;
  }
  throw new Error("expected the file to be refused");
}

describe("yaml file", () => {
  it("is read against its schema", () => {
    expect(parseYaml("name: a # comment\nranks: 2\n", schema, options)).toEqual({ name: "a", ranks: 2 });
  });

  it.each([
    ["a syntax error", "name: a\nranks: [1\n", /^job\.yaml:3:1: /],
    [
      "an unknown field with what was meant",
      "name: a\nrank: 2\nranks: 1\n",
      /^job\.yaml:2:7: rank: unknown field "rank"; did you mean "ranks"\?$/,
    ],
    ["a wrong type", "name: a\nranks: two\n", /^job\.yaml:2:8: ranks: expected a number, found text "two"$/],
    [
      "a fraction where a whole number belongs",
      "name: a\nranks: 1.5\n",
      /^job\.yaml:2:8: ranks: expected a whole number, found number 1.5$/,
    ],
    [
      "a value out of its choices",
      "name: a\nranks: 1\npriority: urgent\n",
      /^job\.yaml:3:11: priority: expected one of low, normal, high, found text "urgent"$/,
    ],
    ["a missing field", "ranks: 1\n", /^job\.yaml:1:1: name: is missing; expected text$/],
    [
      "a field inside a list",
      "name: a\nranks: 1\ncolumns:\n  - name: x\n  - name: 3\n",
      /^job\.yaml:5:11: columns\.1\.name: expected text, found number 3$/,
    ],
    ["the same key twice", "name: a\nname: b\nranks: 1\n", /^job\.yaml:2:1: Map keys must be unique/],
    ["an empty file", "", /^job\.yaml:1:1: expected a mapping/],
  ])("is refused with the place of %s", (_what, text, message) => {
    const error = problem(text);
    expect(error.message).toMatch(message);
    expect(error.reason).toBe("JOB_INVALID");
  });

  it("reports every problem at once, in the order of the file", () => {
    const error = problem("ranks: 0\nfoo: 1\nname: 3\n");
    expect(error.violations.map(({ field }) => field)).toEqual(["ranks", "foo", "name"]);
  });

  it("is refused when it is too large, too deep or expands without end", () => {
    expect(problem(`name: "${"x".repeat(maxYamlBytes)}"`).reason).toBe("YAML_TOO_LARGE");
    expect(problem(`${"[".repeat(60)}${"]".repeat(60)}`).reason).toBe("YAML_TOO_DEEP");
    const laughs = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"];
    for (let level = 1; level < 8; level++) {
      laughs.push(
        `a${level}: &a${level} [${Array(10)
          .fill(`*a${level - 1}`)
          .join(", ")}]`,
      );
    }
    expect(problem(laughs.join("\n")).message).toMatch(/alias/i);
  });
});
