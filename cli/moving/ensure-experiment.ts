import { randomUUID } from "node:crypto";
import type { tracking } from "@trainyard/contracts";
import { callError } from "../client/call-error.ts";
import type { Clients } from "../client/clients.ts";
import { retryUnavailable } from "../client/retry.ts";
import { requestId } from "./run-writer.ts";

/** The experiment of that name, made with the description where there is none; it gets the tags that it lacks. */
export async function ensureExperiment(
  clients: Clients,
  {
    name,
    description,
    tags,
  }: { readonly name: string; readonly description: string; readonly tags: Readonly<Record<string, string>> },
): Promise<tracking.Experiment> {
  await clients.tracking
    .createExperiment({ requestId: requestId("experiment", name, randomUUID()), name, description })
    .catch((error: unknown) => {
      if (callError(error, "").code !== "already_exists") throw error;
    });
  const { experiment } = await retryUnavailable(() =>
    clients.experiments.getExperiment({ experiment: name }),
  );
  if (experiment === undefined) throw new Error("tracking answered without an experiment");
  const missing = Object.entries(tags).filter(([key, value]) => experiment.tags[key] !== value);
  if (missing.length > 0)
    await clients.experiments.setExperimentTags({
      requestId: randomUUID(),
      experiment: experiment.id,
      tags: Object.fromEntries(missing),
    });
  return experiment;
}
