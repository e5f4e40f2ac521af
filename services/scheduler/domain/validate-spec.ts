import { assertName, parseSemver } from "@trainyard/domain";
import { checkCheckpoint } from "./check-checkpoint.ts";
import { checkDataPaths } from "./check-data-paths.ts";
import { checkEnv } from "./check-env.ts";
import { checkFailureFields } from "./check-failure-fields.ts";
import { checkParallelism } from "./check-parallelism.ts";
import { checkParams } from "./check-params.ts";
import { checkProgram } from "./check-program.ts";
import { checkPython } from "./check-python.ts";
import { checkRankLimits } from "./check-rank-limits.ts";
import { checkSecrets } from "./check-secrets.ts";
import type { JobSpec } from "./job-spec.ts";
import {
  MAX_LABEL_VALUE_BYTES,
  MAX_LABELS,
  MAX_RANKS,
  MAX_RETRIES,
  MAX_SLOTS_PER_RANK,
  MAX_SOURCE_YAML_BYTES,
  MAX_SPEC_BYTES,
  MAX_TIMEOUT_SECONDS,
} from "./limits.ts";
import {
  expectDigest,
  expectInteger,
  expectText,
  expectThat,
  type Violation,
  violationsOf,
} from "./violation.ts";

/**
 * Everything that is wrong with a submitted spec by itself, all at once; empty when nothing is. What depends on other
 * things (the queue, the fleet, the code's blob, the dataset) is checked by the caller.
 */
export function validateSpec(spec: JobSpec): readonly Violation[] {
  const problems = [
    ...checkNames(spec),
    ...checkNumbers(spec),
    ...checkProgram(spec),
    ...checkParallelism(spec),
    ...checkPython(spec),
    ...checkParams(spec.params),
    ...checkEnv(spec.env),
    ...checkSecrets(spec),
    ...checkRankLimits(spec),
    ...checkDataset(spec),
    ...checkDataPaths(spec),
    ...checkFailureFields(spec),
    ...checkCheckpoint(spec),
    ...checkLabels(spec),
    ...expectText("spec.source_yaml", spec.sourceYaml, MAX_SOURCE_YAML_BYTES),
  ];
  return problems.length > 0 ? problems : checkSize(spec);
}

function checkNames({ name, queue, experiment, model }: JobSpec): readonly Violation[] {
  return [
    ...violationsOf(() => assertName("spec.name", name)),
    ...violationsOf(() => assertName("spec.queue", queue)),
    // An experiment that is not given has the job's name, and one complaint about it is enough.
    ...(experiment === name ? [] : violationsOf(() => assertName("spec.experiment", experiment))),
    ...(model === undefined ? [] : violationsOf(() => assertName("spec.model.name", model.name))),
    ...(model === undefined || model.suite === ""
      ? []
      : violationsOf(() => assertName("spec.model.suite", model.suite))),
  ];
}

function checkNumbers(spec: JobSpec): readonly Violation[] {
  return [
    ...expectInteger("spec.ranks", spec.ranks, 1, MAX_RANKS),
    ...expectInteger("spec.slots_per_rank", spec.slotsPerRank, 1, MAX_SLOTS_PER_RANK),
    ...expectThat(
      spec.slotKind === undefined || /^[a-z][a-z0-9-]{0,31}$/.test(spec.slotKind),
      "spec.slot_kind",
      `expected a word of a-z 0-9 - that begins with a letter, such as "gpu", got ${JSON.stringify(spec.slotKind?.slice(0, 80))}`,
    ),
    ...expectInteger("spec.retries", spec.retries, 0, MAX_RETRIES),
    ...expectInteger("spec.seed", spec.seed, Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER),
    ...expectInteger("spec.timeout_seconds", spec.timeoutSeconds, 0, MAX_TIMEOUT_SECONDS),
  ];
}

function checkDataset({ dataset }: JobSpec): readonly Violation[] {
  if (dataset === undefined) return [];
  const { name, version, schemaHash } = dataset;
  const isVersion = version === "latest" || violationsOf(() => parseSemver(version)).length === 0;
  return [
    ...violationsOf(() => assertName("spec.dataset.name", name)),
    ...expectThat(
      isVersion,
      "spec.dataset.version",
      `expected "latest" or a version such as 1.2.0, got ${JSON.stringify(version.slice(0, 80))}`,
    ),
    ...(schemaHash === "" ? [] : expectDigest("spec.dataset.schema_hash", schemaHash)),
  ];
}

function checkLabels({ labels }: JobSpec): readonly Violation[] {
  const entries = Object.entries(labels);
  return [
    ...expectThat(
      entries.length <= MAX_LABELS,
      "spec.labels",
      `expected at most ${MAX_LABELS} labels, got ${entries.length}`,
    ),
    ...entries.flatMap(([key, value]) => [
      ...violationsOf(() => assertName(`spec.labels.${key.slice(0, 128)}`, key)),
      ...expectText(`spec.labels.${key.slice(0, 128)}`, value, MAX_LABEL_VALUE_BYTES),
    ]),
  ];
}

function checkSize(spec: JobSpec): readonly Violation[] {
  const bytes = new TextEncoder().encode(JSON.stringify({ ...spec, sourceYaml: "" })).byteLength;
  return expectThat(
    bytes <= MAX_SPEC_BYTES,
    "spec",
    `expected at most ${MAX_SPEC_BYTES} bytes in all, got ${bytes}: put large content into the code bundle`,
  );
}
