import { DomainError } from "@trainyard/domain";
import { type JobFile, jobSchema } from "../job-file/job-schema.ts";

/**
 * Checks a job that was made up of options, by the rules of the job file. `sources` names the option behind a field, so
 * that the error says what to change. Throws JOB_INVALID.
 */
export function checkJob(input: unknown, sources: Readonly<Record<string, string>>): JobFile {
  const result = jobSchema.safeParse(input);
  if (result.success) return result.data;
  const problems = result.error.issues.map(({ path, message }) => {
    const field = path.join(".");
    return { field, description: `${sources[String(path[0])] ?? field}: ${message}` };
  });
  throw new DomainError(
    "invalid_argument",
    "JOB_INVALID",
    problems.map(({ description }) => description).join("\n"),
    { violations: problems },
  );
}
