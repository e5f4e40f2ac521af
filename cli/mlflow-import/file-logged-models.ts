import { join } from "node:path";
import { z } from "zod";
import type { MlflowLoggedModel, MlflowModelPoint } from "./mlflow-source.ts";
import { doubleOf, wholeOf } from "./numbers.ts";
import { filesBelow, folders, nameOf, textsBelow, wholeLines, yamlIn, yamlText } from "./text-files.ts";

const modelMeta = z.object({
  model_id: z.string(),
  name: yamlText,
  model_type: yamlText.nullish(),
  status: z.number(),
  source_run_id: yamlText.nullish(),
  artifact_location: z.string().nullish(),
  lifecycle_stage: z.string().default("active"),
});

/** Statuses as MLflow numbers them; any other is of a model that nobody finished. */
const statuses: Readonly<Record<number, MlflowLoggedModel["status"]>> = { 2: "READY", 3: "FAILED" };

/** Where a file store keeps a logged model. */
export function modelFolder(root: string, experimentId: string, modelId: string): string {
  return join(root, experimentId, "models", modelId);
}

/** Who is told what is passed over. */
export interface PassedOver {
  /** A line of a metric's file that is none. */
  line(file: string): void;
  deletedModel(id: string): void;
}

/** The logged models of an experiment of a file store. */
export async function* loggedModelsOf(
  root: string,
  experimentId: string,
  passedOver: PassedOver,
): AsyncGenerator<MlflowLoggedModel> {
  for (const id of await folders(join(root, experimentId, "models"))) {
    const dir = modelFolder(root, experimentId, id);
    const meta = modelMeta.safeParse(await yamlIn(join(dir, "meta.yaml"))).data;
    if (meta === undefined) continue;
    if (meta.lifecycle_stage !== "active") {
      passedOver.deletedModel(id);
      continue;
    }
    yield {
      id,
      experimentId,
      name: meta.name,
      modelType: meta.model_type ?? "",
      status: statuses[meta.status] ?? "PENDING",
      sourceRunId: meta.source_run_id ?? "",
      params: await textsBelow(join(dir, "params")),
      tags: await textsBelow(join(dir, "tags")),
      metrics: await metricsIn(join(dir, "metrics"), passedOver),
      artifactUri: meta.artifact_location ?? "",
    };
  }
}

async function metricsIn(dir: string, passedOver: PassedOver): Promise<MlflowModelPoint[]> {
  const points: MlflowModelPoint[] = [];
  for (const file of await filesBelow(dir)) {
    for await (const line of wholeLines(file)) {
      const point = modelPointOf(nameOf(dir, file), line);
      if (point === undefined) passedOver.line(file);
      else points.push(point);
    }
  }
  return points;
}

/** "TIME VALUE STEP RUN", of one that was measured on a dataset with " NAME DIGEST"; undefined for anything else. */
function modelPointOf(key: string, line: string): MlflowModelPoint | undefined {
  const [time, value, step, runId, ...dataset] = line.split(" ");
  if (runId === undefined || dataset.length === 1) return undefined;
  try {
    return {
      key,
      timeMs: Number(wholeOf(time)),
      value: doubleOf(value),
      step: wholeOf(step),
      runId,
      datasetName: dataset.slice(0, -1).join(" "),
      datasetDigest: dataset.at(-1) ?? "",
    };
  } catch {
    return undefined;
  }
}
