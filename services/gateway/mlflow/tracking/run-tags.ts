import { tracking } from "@trainyard/contracts";
import { required, text } from "../domain/fields.ts";
import { doesNotExist } from "../domain/mlflow-error.ts";
import { assertTagKey, cut, limits, oneLine } from "../domain/names.ts";
import { type Endpoint, endpoint, type MlflowCall } from "../http/endpoint.ts";
import { inWords } from "../http/reasons.ts";
import { RUN_NAME_TAG } from "./run-json.ts";
import { changing, runWords } from "./run-words.ts";

const { setRunTags, deleteRunTags, updateRun } = tracking.RunService.method;

/** `mlflow/runs/set-tag` and its opposite. */
export const runTags: readonly Endpoint[] = [
  endpoint(
    "POST mlflow/runs/set-tag",
    { run_id: required(text), key: required(text), value: text },
    async ({ run_id: runId, key, value = "" }, call) => {
      assertTagKey(key);
      await setTags(call, runId, { [key]: cut(value, limits.tagValue) });
      return {};
    },
  ),

  endpoint(
    "POST mlflow/runs/delete-tag",
    { run_id: required(text), key: required(text) },
    async ({ run_id: runId, key }, call) => {
      const words = {
        ...runWords(runId),
        TAG_NOT_FOUND: () => doesNotExist(`No tag with name: ${key} in run with id ${runId}`),
      };
      await changing(runId, () => inWords(words, () => call.rpc(deleteRunTags, { runId, keys: [key] })));
      return {};
    },
  ),
];

/** Sets tags; the one that holds a run's name renames the run. */
export async function setTags(call: MlflowCall, runId: string, tags: Record<string, string>): Promise<void> {
  const name = tags[RUN_NAME_TAG];
  await changing(runId, async () => {
    if (name !== undefined && name !== "") await call.rpc(updateRun, { runId, name: oneLine(name) });
    await call.rpc(setRunTags, { runId, tags });
  });
}
