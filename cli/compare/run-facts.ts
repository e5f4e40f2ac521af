import type { JsonValue } from "@bufbuild/protobuf";
import { scheduler, tracking } from "@trainyard/contracts";
import { word } from "../follow/words.ts";
import type { RunFacts } from "./compare.ts";

/** The artifact in which the SDK keeps what a run ran on and with. */
export const environmentPath = "environment.json";

/** Everything of a run that a comparison shows. `environment` is what the run kept of it, if it did. */
export function runFacts(run: tracking.Run, environment: unknown): RunFacts {
  return {
    id: run.id,
    name: run.name,
    params: new Map(Object.entries(paramTexts(run))),
    lineage: present(lineageOf(run)),
    environment: present([...jobEnvironment(run.spec), ...flatten("", environment)]),
    metrics: new Map(Object.entries(run.metrics).map(([key, summary]) => [key, aggregatesOf(summary)])),
  };
}

/** A run's parameters as text; a run from before they were kept as text has them in their types. */
export function paramTexts(run: tracking.Run): Record<string, string> {
  if (Object.keys(run.paramTexts).length > 0) return run.paramTexts;
  return Object.fromEntries(Object.entries(run.params ?? {}).map(([key, value]) => [key, asText(value)]));
}

function asText(value: JsonValue): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

function lineageOf(run: tracking.Run): [string, string | undefined][] {
  const { spec, dataset, model } = run;
  return [
    ["status", word(tracking.RunStatus, run.status)],
    ["experiment", run.experiment],
    ["created by", run.createdBy],
    ["parent run", run.parentRunId],
    ["code", spec?.code?.digest],
    ["git commit", spec?.code?.gitCommit],
    ["uncommitted changes", spec?.code?.dirtyDiffDigest],
    ["entrypoint", spec?.entrypoint.join(" ")],
    ["dataset", dataset === undefined ? undefined : `${dataset.name}@${dataset.version}`],
    ["dataset schema", dataset?.schemaHash],
    ["dataset manifest", dataset?.manifestDigest],
    ...run.inputs.map((input): [string, string] => [
      `input ${input.name}${input.context === "" ? "" : ` (${input.context})`}`,
      input.digest,
    ]),
    ["reproduces", spec?.labels["trainyard.reproduces"]],
    ["seed", spec === undefined ? undefined : String(spec.seed)],
    ["ranks", spec === undefined ? undefined : String(spec.ranks)],
    ["slots per rank", spec === undefined ? undefined : String(spec.slotsPerRank)],
    ["attempts", run.attempts.length === 0 ? undefined : String(run.attempts.length)],
    ["resumed from", run.attempts.at(-1)?.resumedFromCheckpointId],
    ["newest checkpoint", run.latestCheckpoint?.digest],
    ["model", model?.digest],
    ["failure", run.failure?.message],
  ];
}

function jobEnvironment(spec: scheduler.JobSpec | undefined): [string, string | undefined][] {
  if (spec === undefined) return [];
  return [
    ["job.framework", word(scheduler.Framework, spec.framework).replace("unspecified", "torch")],
    ["job.python.interpreter", spec.python?.interpreter],
    ["job.python.requirements", spec.python?.requirements],
    ...Object.entries(spec.env).map(([name, value]): [string, string] => [`job.env.${name}`, value]),
  ];
}

/** A nested value as names with dots: what is compared is each leaf. */
function flatten(prefix: string, value: unknown): [string, string][] {
  if (value === undefined || value === null) return [];
  if (typeof value !== "object") return [[prefix, String(value)]];
  if (Array.isArray(value)) return [[prefix, value.map(String).join(" ")]];
  return Object.entries(value).flatMap(([key, inner]) =>
    flatten(prefix === "" ? key : `${prefix}.${key}`, inner),
  );
}

function aggregatesOf(summary: tracking.MetricSummary): Map<string, number> {
  return new Map([
    ["last", summary.last],
    ["min", summary.min],
    ["max", summary.max],
    ["mean", summary.mean],
    ["first", summary.first],
    ["count", Number(summary.count)],
    ["NaN", Number(summary.nanCount)],
  ]);
}

function present(rows: readonly (readonly [string, string | undefined])[]): Map<string, string> {
  return new Map(
    rows.flatMap(([name, value]) => (value === undefined || value === "" ? [] : [[name, value]])),
  );
}
