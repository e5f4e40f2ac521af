import { tracking } from "@trainyard/contracts";
import { required, text } from "../domain/fields.ts";
import { invalidParameter } from "../domain/mlflow-error.ts";
import { assertParamKey, cut, limits } from "../domain/names.ts";
import { type Endpoint, endpoint, type MlflowCall } from "../http/endpoint.ts";
import { inWords } from "../http/reasons.ts";
import { changing } from "./run-words.ts";

const { logParams } = tracking.RunService.method;

/** `mlflow/runs/log-parameter`. */
export const params: readonly Endpoint[] = [
  endpoint(
    "POST mlflow/runs/log-parameter",
    { run_id: required(text), key: required(text), value: text },
    async ({ run_id: runId, key, value = "" }, call) => {
      assertParamKey(key);
      const words = {
        PARAM_DIFFERS: (_: string, known: Readonly<Record<string, string>>) =>
          invalidParameter(
            `Changing param values is not allowed. Param with key='${key}' was already logged with value='${known.value}' for run ID='${runId}'. Attempted logging new value '${value}'.`,
          ),
      };
      await inWords(words, () => storeParams(call, runId, { [key]: cut(value, limits.paramValue) }));
      return {};
    },
  ),
];

export function storeParams(
  call: MlflowCall,
  runId: string,
  given: Record<string, string>,
): Promise<unknown> {
  return changing(runId, () => call.rpc(logParams, { runId, params: given }));
}
