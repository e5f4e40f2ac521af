import { readFile } from "node:fs/promises";
import { DomainError } from "@trainyard/domain";
import { parseYaml } from "@trainyard/yaml";
import { type JobFile, jobSchema } from "./job-schema.ts";

/** Reads and checks a job file. Throws DomainError JOB_FILE_NOT_FOUND, or JOB_INVALID with line and column of each problem. */
export async function readJobFile(path: string): Promise<{ readonly job: JobFile; readonly source: string }> {
  let source: string;
  try {
    source = await readFile(path, "utf8");
  } catch (cause) {
    throw new DomainError(
      "not_found",
      "JOB_FILE_NOT_FOUND",
      `${path}: cannot be read; "trainyard init" writes a commented job file to begin with`,
      { cause },
    );
  }
  return { job: parseYaml(source, jobSchema, { fileName: path, reason: "JOB_INVALID" }), source };
}
