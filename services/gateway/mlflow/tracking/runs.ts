import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { tracking } from "@trainyard/contracts";
import { isId } from "@trainyard/domain";
import { visibleError } from "../../rest/http-error.ts";
import { integer, required, text, word } from "../domain/fields.ts";
import { invalidParameter } from "../domain/mlflow-error.ts";
import { cutAll, limits, oneLine } from "../domain/names.ts";
import { runName } from "../domain/run-name.ts";
import { type Endpoint, endpoint, type MlflowCall } from "../http/endpoint.ts";
import { modelsOfRun } from "../registry/run-models.ts";
import { tagMap, tags } from "./experiments.ts";
import { assertActiveExperiment, findExperiment } from "./find-experiment.ts";
import { noModels, PARENT_TAG, RUN_NAME_TAG, runInfoJson, runJson } from "./run-json.ts";
import { changing, findRun } from "./run-words.ts";

const { createRun, updateRun, setRunTags, deleteRun, restoreRun } = tracking.RunService.method;

const status = word({ RUNNING: 1, SCHEDULED: 2, FINISHED: 3, FAILED: 4, KILLED: 5 });

const statuses: Readonly<Record<string, tracking.RunStatus>> = {
  RUNNING: tracking.RunStatus.RUNNING,
  SCHEDULED: tracking.RunStatus.QUEUED,
  FINISHED: tracking.RunStatus.COMPLETED,
  FAILED: tracking.RunStatus.FAILED,
  KILLED: tracking.RunStatus.KILLED,
};

/** `mlflow/runs/…`, as far as it is about the run itself. */
export const runs: readonly Endpoint[] = [
  endpoint(
    "POST mlflow/runs/create",
    { experiment_id: text, user_id: text, start_time: integer, tags, run_name: text },
    async (request, call) => {
      const experiment = await findExperiment(call, request.experiment_id || "0");
      assertActiveExperiment(experiment);
      const given = tagMap(request.tags ?? []);
      const named = nameOf(request.run_name ?? "", given[RUN_NAME_TAG] ?? "");
      const { run } = await created(call, {
        experiment: experiment.id,
        name: named,
        tags: {
          ...cutAll(given, limits.tagValue),
          [RUN_NAME_TAG]: named,
        },
        ...(request.start_time ? { startedAt: timestampFromMs(request.start_time) } : {}),
      });
      if (run === undefined) throw new Error("the tracking service answered without the run");
      return { run: runJson(run, noModels) };
    },
  ),

  endpoint("GET mlflow/runs/get", { run_id: required(text) }, async ({ run_id: runId }, call) => {
    const [run, models] = await Promise.all([findRun(call, runId), modelsOfRun(call, runId)]);
    return { run: runJson(run, models) };
  }),

  endpoint(
    "POST mlflow/runs/update",
    { run_id: required(text), status, end_time: integer, run_name: text },
    async ({ run_id: runId, run_name: given, ...ending }, call) => {
      const before = await findRun(call, runId);
      const name = given ? oneLine(given) : undefined;
      const update = { ...(name ? { name } : {}), ...endingOf(before, ending) };
      const { run } =
        Object.keys(update).length === 0
          ? { run: before }
          : await changing(runId, () => call.rpc(updateRun, { runId, ...update }));
      if (name) await call.rpc(setRunTags, { runId, tags: { [RUN_NAME_TAG]: name } });
      if (run === undefined) throw new Error("the tracking service answered without the run");
      return { run_info: runInfoJson(run) };
    },
  ),

  endpoint("POST mlflow/runs/delete", { run_id: required(text) }, async ({ run_id: runId }, call) => {
    await changing(runId, () => call.rpc(deleteRun, { runId }));
    return {};
  }),

  endpoint("POST mlflow/runs/restore", { run_id: required(text) }, async ({ run_id: runId }, call) => {
    await changing(runId, () => call.rpc(restoreRun, { runId }));
    return {};
  }),
];

/**
 * The change of status and end that a client asks for. The run of a job ends with its job: what a script inside it says
 * at its own end (`with mlflow.start_run()` always does) is heard and changes nothing.
 */
function endingOf(
  run: tracking.Run,
  asked: { readonly status: string | undefined; readonly end_time: number | undefined },
) {
  if (run.jobId !== "") return {};
  const next = asked.status === undefined ? run.status : (statuses[asked.status] ?? run.status);
  const final = next >= tracking.RunStatus.COMPLETED;
  return {
    ...(asked.status === undefined ? {} : { status: next }),
    ...(asked.end_time && final ? { endedAt: timestampFromMs(asked.end_time) } : {}),
  };
}

/** A parent that is not here is only a tag, as it is for MLflow. */
async function created(
  call: MlflowCall,
  request: Parameters<typeof call.rpc<typeof createRun.input, typeof createRun.output>>[1],
) {
  const parentRunId = request.tags?.[PARENT_TAG] ?? "";
  if (!isId("run", parentRunId)) return call.rpc(createRun, request);
  try {
    return await call.rpc(createRun, { ...request, parentRunId });
  } catch (error) {
    if (visibleError(error).reason !== "PARENT_RUN_NOT_FOUND") throw error;
    return call.rpc(createRun, request);
  }
}

function nameOf(name: string, tag: string): string {
  if (name !== "" && tag !== "" && name !== tag) {
    throw invalidParameter(
      `Both 'run_name' argument and 'mlflow.runName' tag are specified, but with different values (run_name='${name}', mlflow.runName='${tag}').`,
    );
  }
  if (name !== "" || tag !== "") return oneLine(name || tag);
  return runName([Math.random(), Math.random(), Math.random()]);
}
