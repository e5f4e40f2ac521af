import { posix } from "node:path";
import { invalidParameter, invalidValue } from "./mlflow-error.ts";

/** MLflow's limits, in characters. */
export const limits = {
  entityKey: 250,
  paramValue: 6_000,
  tagValue: 8_000,
  experimentName: 500,
  runName: 500,
  experimentTagValue: 20_000,
  registryTagValue: 100_000,
  alias: 255,
  batchMetrics: 1_000,
  batchParams: 100,
  batchTags: 100,
  batchEntities: 1_000,
} as const;

const BAD_CHARACTERS =
  "Names may only contain alphanumerics, underscores (_), dashes (-), periods (.), spaces ( ), colon(:) and slashes (/).";

/** Throws unless a metric, parameter or tag may have that name. */
export function assertKey(name: string, path = "key"): void {
  if (!/^[/\p{L}\p{N}_.\- :]*$/u.test(name)) throw invalidValue(path, name, BAD_CHARACTERS);
  if (pathNotUnique(name)) throw invalidValue(path, name, badPath(name));
}

/** Whether the name, read as a path, would mean another. */
export function pathNotUnique(name: string): boolean {
  const norm = normalPath(name);
  return norm !== name || norm === "." || norm.startsWith("..") || norm.startsWith("/");
}

export function badPath(name: string): string {
  return `Names may be treated as files in certain cases, and must not resolve to other names when treated as such. This name would resolve to '${normalPath(name)}'`;
}

function normalPath(name: string): string {
  const norm = posix.normalize(name);
  return norm.length > 1 && norm.endsWith("/") ? norm.slice(0, -1) : norm;
}

/** Throws when a text is longer than the limit. */
export function assertLength(what: string, limit: number, value: string | undefined): void {
  if (value === undefined || [...value].length <= limit) return;
  throw invalidParameter(`'${what}' exceeds the maximum length of ${limit} characters`);
}

/** A parameter's or tag's value as it is stored: MLflow's server cuts what is too long in characters, this one also what is in bytes. */
export function cut(value: string, limit: number): string {
  // A character of UTF-16 has at most three bytes in UTF-8.
  if (value.length * 3 <= limit) return value;
  // It takes whole characters only.
  const { read } = new TextEncoder().encodeInto(value, new Uint8Array(limit));
  return value.slice(0, read);
}

/** The values of parameters or tags, cut. */
export function cutAll(texts: Readonly<Record<string, string>>, limit: number): Record<string, string> {
  return Object.fromEntries(Object.entries(texts).map(([key, value]) => [key, cut(value, limit)]));
}

/** A run's name as it is stored: MLflow's server takes any text, the platform shows it on one line. */
export function oneLine(name: string): string {
  return cut(name.replaceAll(/\p{Cc}+/gu, " "), limits.runName).trim() || "unnamed";
}

export function assertParamKey(key: string, path = "key"): void {
  assertKey(key, path);
  assertLength("Param key", limits.entityKey, key);
}

export function assertTagKey(key: string, path = "key"): void {
  assertKey(key, path);
  assertLength(path, limits.entityKey, key);
}

export function assertMetricKey(key: string, path = "name"): void {
  assertKey(key, path);
  assertLength("Metric name", limits.entityKey, key);
}

export function assertExperimentName(name: string): void {
  if (name === "") throw invalidParameter("Invalid experiment name: ''");
  assertLength("name", limits.experimentName, name);
}

export function assertRunId(runId: string): void {
  if (!/^[a-zA-Z0-9][\w-]{0,255}$/.test(runId)) throw invalidValue("run_id", runId);
}

export function assertModelName(name: string, field = "name"): void {
  if (name.trim() === "") throw invalidParameter(`Missing value for required parameter '${field}'.`);
  if (/[/:]/.test(name))
    throw invalidParameter(`Invalid model name '${name}'. Names cannot contain '/' or ':'.`);
  if (pathNotUnique(name)) throw invalidValue("name", name, badPath(name));
}

/** The running number of a version. */
export function modelVersionNumber(version: string): string {
  if (/^\s*[+-]?\d+\s*$/.test(version)) return String(Number(version));
  throw invalidParameter(`Parameter 'version' must be an integer, got '${version}'.`);
}

export function assertAlias(alias: string): void {
  if (alias === "") throw invalidParameter("Registered model alias name cannot be empty.");
  if (!/^[\p{L}\p{N}_-]*$/u.test(alias)) {
    throw invalidParameter(
      `Invalid alias name: '${alias}'. Names may only contain alphanumerics, underscores (_), and dashes (-).`,
    );
  }
  assertLength("Registered model alias name", limits.alias, alias);
}

export function assertFreeAlias(alias: string): void {
  assertAlias(alias);
  if (alias.toLowerCase() === "latest")
    throw invalidParameter("'latest' alias name (case insensitive) is reserved.");
  if (/^[vV]\d+$/.test(alias)) throw invalidParameter(`Version alias name '${alias}' is reserved.`);
}
