import { randomUUID } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import { dataset, scheduler } from "@trainyard/contracts";
import { describe, expect, it } from "vitest";
import type { FlowClients } from "../../flow/clients.ts";
import type { UnderTest } from "../under-test.ts";
import { refused } from "./refused.ts";
import { scriptSpec } from "./script-job.ts";

const contract = (columns: readonly string[]) =>
  ["key: id", "target: label", "columns:", ...columns.map((column) => `  - ${column}`)].join("\n");
const id = "{ name: id, type: int64, nullable: false, unique: true }";
const size = "{ name: size, type: float64, min: 0, max: 10 }";
const label = "{ name: label, type: string, values: [circle, square] }";
const colour = "{ name: colour, type: string }";

const shape = (row: number) => `${row},${row % 7}.5,${row % 2 === 0 ? "circle" : "square"}`;
const shapes = ["id,size,label", ...Array.from({ length: 40 }, (_, row) => shape(row))];
const coloured = shapes.map((line, index) => `${line},${index === 0 ? "colour" : "red"}`);
const broken = shapes.map((line, index) => (index > 37 ? line.replace(/,\d/, ",99") : line));

async function register(user: FlowClients, name: string, lines: readonly string[], contractYaml: string) {
  const sourceDigest = await user.upload(Buffer.from(`${lines.join("\n")}\n`));
  const format = dataset.FileFormat.CSV;
  const { datasetVersion } = await user.dataset.registerDatasetVersion(
    { requestId: randomUUID(), name, sourceDigest, format, contractYaml },
    { timeoutMs: 180_000 },
  );
  if (datasetVersion === undefined) throw new Error("the registered version is missing in the answer");
  return datasetVersion;
}

/** Data that breaks its contract, and jobs that name data they cannot have. */
export function datasetCases(under: () => UnderTest): void {
  describe("a job's dataset", () => {
    const submit = async (ref: Partial<Record<"name" | "version" | "schemaHash", string>>) => {
      const { user, dir } = under();
      const spec = await scriptSpec(user, dir, "print('never run')\n", {
        dataset: create(scheduler.DatasetRefSchema, { name: "shapes", version: "latest", ...ref }),
      });
      return refused(under(), () => user.scheduler.submitJob({ requestId: randomUUID(), spec }));
    };

    it("that is not there is refused", async () => {
      const error = await submit({ name: "nothing" });
      expect(error).toMatchObject({ code: "not_found", reason: "DATASET_NOT_FOUND" });
      expect(error.message).toContain("nothing");
    });

    it("that broke its contract is quarantined with the rule, the rows and examples, and refused to jobs", async () => {
      const version = await register(under().user, "broken", broken, contract([id, size, label]));
      expect(version).toMatchObject({ state: dataset.DatasetState.QUARANTINED, splits: [] });
      expect(version.report?.rules.filter(({ passed }) => !passed)).toMatchObject([
        {
          rule: "size is between 0 and 10",
          column: "size",
          failedRows: 3n,
          examples: ["id=37 size=99.5", "id=38 size=99.5", "id=39 size=99.5"],
        },
      ]);
      const named = await submit({ name: "broken", version: version.version });
      expect(named).toMatchObject({ code: "failed_precondition", reason: "DATASET_QUARANTINED" });
      expect(named.message).toContain("size is between 0 and 10 (3 rows do not hold)");
      expect(named.message).toContain("Mend the file and register it again");
      // The newest usable version: there is none.
      const latest = await submit({ name: "broken" });
      expect(latest.code).toMatch(/not_found|failed_precondition/);
      expect(latest.message).toContain("broken");
    });

    it("that was deprecated is refused with the reason that was given", async () => {
      const { user } = under();
      const { version } = await register(user, "shapes", shapes, contract([id, size, label]));
      await register(user, "shapes", coloured, contract([id, size, label, colour]));
      const requestId = randomUUID();
      await user.dataset.deprecateDatasetVersion({
        requestId,
        name: "shapes",
        version,
        reason: "no colours",
      });
      const error = await submit({ version });
      expect(error).toMatchObject({ code: "failed_precondition", reason: "DATASET_DEPRECATED" });
      expect(error.message).toContain(`shapes ${version} is deprecated: no colours. Use a newer version.`);
    });

    it("whose schema is another than the pinned one is refused with the columns that differ", async () => {
      const { user } = under();
      const { datasetVersion } = await user.dataset.getDatasetVersion({ name: "shapes", version: "1.0.0" });
      const error = await submit({ schemaHash: datasetVersion?.schemaHash ?? "" });
      expect(error).toMatchObject({ code: "failed_precondition", reason: "SCHEMA_HASH_MISMATCH" });
      expect(error.message).toContain("shapes 2.0.0");
      expect(error.violations).toMatchObject([
        { field: "spec.dataset.columns.colour", description: "not expected, found VARCHAR, nulls allowed" },
      ]);
    });

    it("is not registered by a contract that makes no sense; each mistake is told with its line", async () => {
      const wrong = contract([id.replace("int64", "int46"), size]);
      const error = await refused(under(), () => register(under().user, "shapes", shapes, wrong));
      expect(error).toMatchObject({ code: "invalid_argument", reason: "CONTRACT_INVALID" });
      expect(error.message).toMatch(/:4:\d+: columns\.0\.type: expected one of .*int64.*found text "int46"/);
    });
  });

  describe("a gang", () => {
    it("that the fleet could never hold is refused with the numbers", async () => {
      const { user, dir } = under();
      const spec = await scriptSpec(user, dir, "print('never run')\n", { ranks: 3 });
      const error = await refused(under(), () => user.scheduler.submitJob({ requestId: randomUUID(), spec }));
      expect(error).toMatchObject({ code: "failed_precondition", reason: "WOULD_NEVER_FIT" });
      expect(error.message).toContain("needs 3 slots");
      expect(error.message).toContain("the whole fleet has 2 slots on 1 node");
      expect(error.message).toContain("Ask for fewer, or add nodes");
    });
  });
}
