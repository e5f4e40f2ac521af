import { DomainError } from "@trainyard/domain";

/** What DuckDB refused or could not do. Its message may quote the file's content and this service's paths: never shown as it is. */
export class DuckdbError extends Error {
  override readonly name = "DuckdbError";

  /** Whether it was the machine that did not suffice, and not the file that is wrong. */
  get isExhaustion(): boolean {
    return /^Out of Memory Error|No space left|temp_directory|exceeded.*size limit/i.test(this.message);
  }
}

/** A failure as a caller can act on it: too large for this service's limits, or an error of the service itself. */
export function asExhaustion(error: unknown): unknown {
  if (!(error instanceof DuckdbError) || !error.isExhaustion) return error;
  return new DomainError(
    "resource_exhausted",
    "FILE_TOO_LARGE",
    "The file needs more memory or disk than this service may use. Register a smaller file, or raise TRAINYARD_DUCKDB_MEMORY_MB or the disk of the work folder.",
    { cause: error },
  );
}
