import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { notSupported, refusalOf, refusals } from "./refusals.ts";

const document = readFileSync(new URL("../../../../docs/mlflow.md", import.meta.url), "utf8");

describe("what is deliberately not there", () => {
  it("is in docs/mlflow.md as it is in the code", () => {
    const rows = refusals.map(
      ({ feature, why, methods }) =>
        `| ${feature} | ${why} | ${methods.map((name) => `\`${name}\``).join(", ")} |`,
    );
    const [, section = ""] = document.split("\n## What is not supported\n");
    const listed = section
      .split("\n## ", 1)[0]
      ?.split("\n")
      .filter((line) => line.startsWith("| ") && !line.startsWith("| ---") && !line.startsWith("| feature"));
    expect(listed).toEqual(rows);
  });

  it("is told by its path, with what to use instead", () => {
    expect(refusalOf("mlflow/traces/search")?.feature).toBe("tracing");
    expect(refusalOf("mlflow/tracesomething")).toBeUndefined();
    expect(refusalOf("mlflow/runs/search")).toBeUndefined();
    for (const refusal of refusals) {
      expect(notSupported(refusal)).toMatchObject({ code: "NOT_IMPLEMENTED", status: 501 });
      expect(notSupported(refusal).message).toContain("not supported by this server");
    }
  });
});
