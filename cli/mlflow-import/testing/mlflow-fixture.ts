import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { gunzipSync } from "node:zlib";
import { tempDir } from "@trainyard/testing";

const here = import.meta.dirname;
const marker = "/@HERE@";

/** A run as MLflow's own client read it back when the fixture was made. */
export interface TrueRun {
  readonly id: string;
  readonly status: string;
  readonly startTime: number;
  readonly endTime: number | null;
  readonly params: Readonly<Record<string, string>>;
  readonly tags: Readonly<Record<string, string>>;
  /** Time, step and value as Python writes it, sorted. */
  readonly metrics: Readonly<Record<string, readonly (readonly [number, number, string])[]>>;
  readonly artifacts: Readonly<Record<string, number>>;
  /** The logged models that it was given, and those that it made with the step. */
  readonly given: readonly string[];
  readonly made: readonly (readonly [string, number])[];
}

/** A logged model as MLflow's own client read it back. */
export interface TrueModel {
  readonly id: string;
  readonly status: string;
  readonly modelType: string;
  readonly sourceRunId: string;
  readonly params: Readonly<Record<string, string>>;
  readonly tags: Readonly<Record<string, string>>;
  readonly artifacts: Readonly<Record<string, number>>;
}

/** What make_mlflow.py wrote down; see there. */
export const truth = JSON.parse(readFileSync(join(here, "truth.json"), "utf8")) as {
  readonly mlflow: string;
  readonly files: Readonly<Record<string, TrueRun>>;
  readonly database: Readonly<Record<string, TrueRun>>;
  readonly models: Readonly<Record<"files" | "database", Readonly<Record<string, TrueModel>>>>;
};

/** Unpacks the file store that MLflow wrote, as if it had been written there; gives its folder. */
export function unpackFileStore(): string {
  const root = tempDir("mlruns");
  execFileSync("tar", ["xzf", join(here, "mlruns.tgz"), "-C", root]);
  for (const entry of readdirSync(root, { recursive: true, withFileTypes: true })) {
    if (entry.name !== "meta.yaml") continue;
    const file = join(entry.parentPath, entry.name);
    writeFileSync(file, readFileSync(file, "utf8").replaceAll(marker, root));
  }
  return join(root, "mlruns");
}

/** Unpacks the database that MLflow wrote, with its artifacts beside it; gives the file. */
export function unpackDatabase(): string {
  const root = tempDir("mlflow-db");
  mkdirSync(root, { recursive: true });
  execFileSync("tar", ["xzf", join(here, "artifacts.tgz"), "-C", root]);
  const file = join(root, "mlflow.db");
  writeFileSync(file, gunzipSync(readFileSync(join(here, "mlflow.db.gz"))));
  const database = new DatabaseSync(file);
  for (const [table, column] of [
    ["runs", "artifact_uri"],
    ["logged_models", "artifact_location"],
    ["model_versions", "source"],
    ["model_versions", "storage_location"],
  ])
    database.prepare(`UPDATE ${table} SET ${column} = replace(${column}, ?, ?)`).run(marker, root);
  database.close();
  return file;
}

/** A double as Python's repr writes it, for comparing with the truth. */
export function pythonNumber(value: number): string {
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  return Object.is(value, -0) ? "-0.0" : String(value);
}
