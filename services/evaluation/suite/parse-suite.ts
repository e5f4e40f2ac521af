import { parseYaml } from "@trainyard/yaml";
import type { GateOp, SuiteContent } from "../domain/suite.ts";
import { type SuiteFile, suiteSchema } from "./suite-schema.ts";

const ops: Readonly<Record<SuiteFile["gates"][number]["op"], GateOp>> = {
  ">=": "ge",
  ">": "gt",
  "<=": "le",
  "<": "lt",
};

/** Reads a suite file. Throws SUITE_INVALID with the line and column of every problem. */
export function parseSuite(yaml: string): SuiteContent {
  const file = parseYaml(yaml, suiteSchema, { fileName: "suite.yaml", reason: "SUITE_INVALID" });
  const { name, dataset, datasetVersion, split, target } = file;
  const gates = file.gates.map((gate) => ({ ...gate, op: ops[gate.op] }));
  return { name, dataset, datasetVersion, split, target, gates };
}
