import { assertName } from "@trainyard/domain";
import { isEnvName } from "./check-env.ts";
import type { JobSpec, SecretRef } from "./job-spec.ts";
import { MAX_SECRETS } from "./limits.ts";
import { expectThat, type Violation, violationsOf } from "./violation.ts";

/** Checks where a job wants its secrets. Whether they exist is for the caller to find out. */
export function checkSecrets(spec: Pick<JobSpec, "secrets" | "env">): readonly Violation[] {
  const secrets = spec.secrets ?? [];
  const taken = new Set(Object.keys(spec.env));
  const files = new Set<string>();
  return [
    ...expectThat(
      secrets.length <= MAX_SECRETS,
      "spec.secrets",
      `expected at most ${MAX_SECRETS} secrets, got ${secrets.length}`,
    ),
    ...secrets.flatMap((secret, index) => checkSecret(`spec.secrets[${index}]`, secret, taken, files)),
  ];
}

function checkSecret(
  field: string,
  { name, env, file }: SecretRef,
  taken: Set<string>,
  files: Set<string>,
): readonly Violation[] {
  const twice = (env !== "" && taken.has(env)) || (file !== "" && files.has(file));
  taken.add(env);
  files.add(file);
  return [
    ...violationsOf(() => assertName(`${field}.name`, name)),
    ...expectThat(env !== "" || file !== "", field, "expected env, file, or both: where the ranks find it"),
    ...expectThat(
      env === "" || isEnvName(env),
      `${field}.env`,
      "expected a variable's name of letters, digits and underscores that the platform does not set itself",
    ),
    ...(file === "" ? [] : violationsOf(() => assertName(`${field}.file`, file))),
    ...expectThat(!twice, field, "expected a variable and a file that nothing else in the job is given by"),
  ];
}
