import { tracking } from "@trainyard/contracts";
import { assertMarkdown, assertParams, assertTags, assertTitle } from "../domain/check-texts.ts";
import { invalidField } from "../domain/errors.ts";
import { DEFAULT_IDLE_LIMIT_SECONDS, MAX_IDLE_LIMIT_SECONDS } from "../domain/limits.ts";
import { isFinal, type RunStatus } from "../domain/run-status.ts";
import type { RunUpdate } from "../domain/run-update.ts";
import type { NewRun } from "../operations/create-run.ts";
import { boundedNumber } from "./numbers.ts";
import { statusFromProto } from "./status.ts";
import { textsFromProto } from "./texts.ts";
import { dateOf } from "./time.ts";

/** An outside run as it is asked for, checked. */
export function newRunFromProto(
  request: tracking.CreateRunRequest,
  of: Pick<NewRun, "id" | "project" | "actor">,
): NewRun {
  const { experiment, name, note, parentRunId } = request;
  if (experiment === "") throw invalidField("experiment", "is required: an id or a name");
  if (name !== "") assertTitle("name", name);
  assertMarkdown("note", note);
  const params = textsFromProto(request.params);
  const tags = textsFromProto(request.tags);
  assertParams("params", params);
  assertTags("tags", tags);
  const status = statusOf(request.status) ?? "running";
  const startedAt = dateOf(request.startedAt);
  const endedAt = dateOf(request.endedAt);
  if (endedAt !== undefined && !isFinal(status)) {
    throw invalidField("ended_at", "is only for a run with a final status");
  }
  return {
    ...of,
    experiment,
    name,
    note,
    params,
    tags,
    parentRunId,
    status,
    idleLimitMs: idleLimitMs(request.idleLimitSeconds) ?? DEFAULT_IDLE_LIMIT_SECONDS * 1_000,
    ...(startedAt === undefined ? {} : { startedAt }),
    ...(endedAt === undefined ? {} : { endedAt }),
  };
}

/** What to change of a run, checked. */
export function runUpdateFromProto(request: tracking.UpdateRunRequest): RunUpdate {
  const { name, note } = request;
  if (name !== undefined) assertTitle("name", name);
  if (note !== undefined) assertMarkdown("note", note);
  return {
    name,
    note,
    status: statusOf(request.status),
    startedAt: dateOf(request.startedAt),
    endedAt: dateOf(request.endedAt),
    idleLimitMs: idleLimitMs(request.idleLimitSeconds),
  };
}

function statusOf(status: tracking.RunStatus): RunStatus | undefined {
  if (status === tracking.RunStatus.UNSPECIFIED) return undefined;
  const known = statusFromProto(status);
  if (known === undefined) throw invalidField("status", `${status} is not the status of a run`);
  return known;
}

function idleLimitMs(seconds: bigint): number | undefined {
  if (seconds === 0n) return undefined;
  return boundedNumber("idle_limit_seconds", Number(seconds), 1, MAX_IDLE_LIMIT_SECONDS) * 1_000;
}
