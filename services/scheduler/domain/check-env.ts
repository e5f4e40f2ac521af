import { MAX_ENV_VALUE_BYTES, MAX_ENV_VARIABLES } from "./limits.ts";
import { expectText, expectThat, type Violation } from "./violation.ts";

/** Variables that the platform sets for each rank: a job's own value would break its gang or its record. */
export const reservedEnvNames: readonly string[] = [
  "RANK",
  "LOCAL_RANK",
  "WORLD_SIZE",
  "LOCAL_WORLD_SIZE",
  "GROUP_RANK",
  "GROUP_WORLD_SIZE",
  "ROLE_NAME",
  "ROLE_RANK",
  "ROLE_WORLD_SIZE",
  "MASTER_ADDR",
  "MASTER_PORT",
  "TF_CONFIG",
  "CUDA_VISIBLE_DEVICES",
  "TRACEPARENT",
  "MLFLOW_RUN_ID",
  "MLFLOW_TRACKING_URI",
];
const reservedPrefixes: readonly string[] = ["TORCHELASTIC_", "TRAINYARD_"];

const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** Whether a job may set a variable of this name. */
export function isEnvName(name: string): boolean {
  return NAME.test(name) && name.length <= 128 && !isReserved(name);
}

function isReserved(name: string): boolean {
  return reservedEnvNames.includes(name) || reservedPrefixes.some((prefix) => name.startsWith(prefix));
}

/** Checks the environment variables that a job adds. */
export function checkEnv(env: Readonly<Record<string, string>>): readonly Violation[] {
  const entries = Object.entries(env);
  const tooMany = expectThat(
    entries.length <= MAX_ENV_VARIABLES,
    "spec.env",
    `expected at most ${MAX_ENV_VARIABLES} variables, got ${entries.length}`,
  );
  return [...tooMany, ...entries.flatMap(([name, value]) => checkVariable(name, value))];
}

function checkVariable(name: string, value: string): readonly Violation[] {
  const field = `spec.env.${name.slice(0, 128)}`;
  return [
    ...expectThat(
      NAME.test(name) && name.length <= 128,
      field,
      "expected a name of letters, digits and underscores",
    ),
    ...expectThat(!isReserved(name), field, "this variable is set by the platform for each rank: remove it"),
    ...expectText(field, value, MAX_ENV_VALUE_BYTES),
  ];
}
