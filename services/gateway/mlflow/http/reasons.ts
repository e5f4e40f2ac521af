import { visibleError } from "../../rest/http-error.ts";
import type { MlflowError } from "../domain/mlflow-error.ts";

/** Calls a service; its refusals with one of these reasons are told in MLflow's words. */
export async function inWords<T>(
  words: Readonly<
    Record<string, (message: string, metadata: Readonly<Record<string, string>>) => MlflowError>
  >,
  call: () => Promise<T>,
): Promise<T> {
  try {
    return await call();
  } catch (error) {
    const { reason, message, metadata } = visibleError(error);
    throw words[reason]?.(message, metadata) ?? error;
  }
}
