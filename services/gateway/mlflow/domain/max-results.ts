import { invalidParameter } from "./mlflow-error.ts";

/** Throws unless so many results may be asked for, in the words of MLflow's store. */
export function assertMaxResults(maxResults: number, limit: number): void {
  if (maxResults < 1) {
    throw invalidParameter(
      `Invalid value ${maxResults} for parameter 'max_results' supplied. It must be a positive integer`,
    );
  }
  if (maxResults > limit) {
    throw invalidParameter(
      `Invalid value ${maxResults} for parameter 'max_results' supplied. It must be at most ${limit}`,
    );
  }
}
