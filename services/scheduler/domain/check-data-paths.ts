import type { JobSpec } from "./job-spec.ts";
import { MAX_DATA_PATH_BYTES, MAX_DATA_PATHS } from "./limits.ts";
import { expectText, expectThat, type Violation } from "./violation.ts";

/** Checks the host paths that a job reads. Whether they exist, and may be read, is for the node to say. */
export function checkDataPaths({
  dataPaths = [],
  dataset,
}: Pick<JobSpec, "dataPaths" | "dataset">): readonly Violation[] {
  const field = "spec.data_paths";
  return [
    ...expectThat(
      dataPaths.length === 0 || dataset === undefined,
      field,
      "expected a dataset or host paths, not both: what a run was trained on is recorded as the one or counts as untracked",
    ),
    ...expectThat(
      dataPaths.length <= MAX_DATA_PATHS,
      field,
      `expected at most ${MAX_DATA_PATHS} paths, got ${dataPaths.length}`,
    ),
    ...dataPaths.slice(0, MAX_DATA_PATHS).flatMap((path, index) => checkPath(`${field}[${index}]`, path)),
  ];
}

function checkPath(field: string, path: string): readonly Violation[] {
  const parts = path.split("/").slice(1);
  const isPlain = path.startsWith("/") && parts.every((part) => part !== "" && part !== "." && part !== "..");
  return [
    ...expectThat(
      isPlain,
      field,
      `expected an absolute path without "//", "." and "..", got ${JSON.stringify(path.slice(0, 80))}`,
    ),
    ...expectText(field, path, MAX_DATA_PATH_BYTES),
  ];
}
