import type { PlatformAddress } from "../client/find-platform.ts";

/** The variables by which MLflow's clients, the SDK and this command find the platform from anywhere. */
export function variablesOf({ url, token }: Required<PlatformAddress>): Readonly<Record<string, string>> {
  return { ...mlflowVariablesOf({ url, token }), TRAINYARD_URL: url, TRAINYARD_TOKEN: token };
}

/** Those of MLflow's clients. */
export function mlflowVariablesOf({
  url,
  token,
}: Required<PlatformAddress>): Readonly<Record<string, string>> {
  return { MLFLOW_TRACKING_URI: url, MLFLOW_TRACKING_TOKEN: token };
}

export const shells = ["sh", "fish", "powershell"] as const;
export type Shell = (typeof shells)[number];

const exported: Readonly<Record<Shell, (name: string, value: string) => string>> = {
  sh: (name, value) => `export ${name}='${value.replaceAll("'", "'\\''")}'`,
  fish: (name, value) => `set -gx ${name} '${value.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`,
  powershell: (name, value) => `$Env:${name} = '${value.replaceAll("'", "''")}'`,
};

/** Lines that a shell sets the variables by. */
export function exportLines(variables: Readonly<Record<string, string>>, shell: Shell): readonly string[] {
  return Object.entries(variables).map(([name, value]) => exported[shell](name, value));
}
