import { execFileSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { exportLines, variablesOf } from "./exports.ts";

describe("the environment of other tools", () => {
  it("is read by a shell as it was meant, whatever is in it", () => {
    const value = `a'b"c$HOME \\ d`;
    const script = [
      ...exportLines({ MLFLOW_TRACKING_TOKEN: value }, "sh"),
      'printf %s "$MLFLOW_TRACKING_TOKEN"',
    ];
    expect(execFileSync("/bin/sh", ["-c", script.join("\n")]).toString()).toBe(value);
  });

  it("escapes by each shell's own rules", () => {
    expect(exportLines({ A: "it's" }, "fish")).toEqual(["set -gx A 'it\\'s'"]);
    expect(exportLines({ A: "it's" }, "powershell")).toEqual(["$Env:A = 'it''s'"]);
  });

  it("are MLflow's and this platform's own", () => {
    const set = variablesOf({ url: "http://x", token: "t" });
    expect(exportLines(set, "sh").join("\n")).toBe(
      [
        "export MLFLOW_TRACKING_URI='http://x'",
        "export MLFLOW_TRACKING_TOKEN='t'",
        "export TRAINYARD_URL='http://x'",
        "export TRAINYARD_TOKEN='t'",
      ].join("\n"),
    );
  });
});
