/** The JSON Schemas of the files that people write, for editors: made from the very schemas that check the files. */
import { contractSchema } from "@trainyard/dataset";
import { suiteSchema } from "@trainyard/evaluation";
import { z } from "zod";
import { jobSchema } from "./job-file/job-schema.ts";

/** The folder of the published schemas, in the checkout. */
export const jsonSchemaFolder = "docs/schema";

const sources = {
  "training-job": { title: "Trainyard training job", schema: jobSchema },
  "dataset-contract": { title: "Trainyard dataset contract", schema: contractSchema },
  "evaluation-suite": { title: "Trainyard evaluation suite", schema: suiteSchema },
} as const;

/** Path in the checkout and content of every published schema. */
export function renderJsonSchemas(): ReadonlyMap<string, string> {
  return new Map(
    Object.entries(sources).map(([name, { title, schema }]) => {
      // What a person writes, before defaults are filled in.
      const json = z.toJSONSchema(schema, { io: "input", unrepresentable: "any" });
      return [
        `${jsonSchemaFolder}/${name}.schema.json`,
        `${JSON.stringify({ title, ...json }, undefined, 2)}\n`,
      ];
    }),
  );
}
