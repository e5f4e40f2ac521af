import { dirname, join, relative, resolve } from "node:path";
import { z } from "zod";
import { type ArtifactPlaces, artifactFiles } from "./artifact-place.ts";
import { loggedModelsOf, modelFolder } from "./file-logged-models.ts";
import {
  type LeftOut,
  leftOutReasons,
  type MlflowExperiment,
  type MlflowFile,
  type MlflowInput,
  type MlflowLoggedModel,
  type MlflowModel,
  type MlflowModelLink,
  type MlflowPoint,
  type MlflowRun,
  type MlflowSource,
  type MlflowStatus,
} from "./mlflow-source.ts";
import { doubleOf, timeOf, wholeOf } from "./numbers.ts";
import {
  exists,
  filesBelow,
  folders,
  nameOf,
  textsBelow,
  wholeLines,
  yamlIn,
  yamlText,
} from "./text-files.ts";

const experimentMeta = z.object({
  experiment_id: yamlText,
  name: yamlText,
  lifecycle_stage: z.string().default("active"),
});
const runMeta = z.object({
  run_id: yamlText,
  run_name: yamlText.nullish(),
  experiment_id: yamlText,
  lifecycle_stage: z.string().default("active"),
  status: z.number(),
  start_time: z.number().nullish(),
  end_time: z.number().nullish(),
  artifact_uri: z.string().nullish(),
});
const modelMeta = z.object({ name: yamlText, description: z.string().nullish() });
const versionMeta = z.object({
  version: z.coerce.number(),
  description: z.string().nullish(),
  run_id: yamlText.nullish(),
  source: z.string().nullish(),
  storage_location: z.string().nullish(),
  current_stage: z.string().nullish(),
});
const datasetMeta = z.object({
  name: yamlText,
  digest: yamlText,
  source_type: yamlText.nullish(),
  source: yamlText.nullish(),
  schema: yamlText.nullish(),
  profile: yamlText.nullish(),
});
const outputMeta = z.object({ step: z.number().nullish() });
const inputMeta = z.object({
  source_type: z.string(),
  source_id: z.string(),
  tags: z.record(z.string(), yamlText).nullish(),
});

/** Statuses as the file store numbers them. */
const statuses: Readonly<Record<number, MlflowStatus>> = {
  1: "RUNNING",
  2: "SCHEDULED",
  3: "FINISHED",
  4: "FAILED",
  5: "KILLED",
};

/** A folder that MLflow's file store wrote, usually called mlruns. */
export class FileStore implements MlflowSource {
  readonly #root: string;
  readonly #places: ArtifactPlaces;
  /** Lines of metric files that were passed over, by file. */
  readonly #unreadable = new Map<string, number>();
  readonly #deletedRuns = new Set<string>();
  readonly #deletedModels = new Set<string>();

  constructor(root: string, served: string | undefined) {
    this.#root = resolve(root);
    this.#places = { base: dirname(this.#root), served };
  }

  async *experiments(): AsyncGenerator<MlflowExperiment> {
    for (const name of await folders(this.#root)) {
      const dir = join(this.#root, name);
      const meta = experimentMeta.safeParse(await yamlIn(join(dir, "meta.yaml"))).data;
      if (meta === undefined || name === "models" || meta.lifecycle_stage !== "active") continue;
      yield { id: name, name: meta.name, tags: await textsBelow(join(dir, "tags")) };
    }
  }

  async *runs({ id }: MlflowExperiment): AsyncGenerator<MlflowRun> {
    for (const name of await folders(join(this.#root, id))) {
      const run = await this.#read(id, name);
      if (run !== undefined) yield run;
    }
  }

  async run(id: string): Promise<MlflowRun | undefined> {
    if (!/^[0-9a-f]{32}$/.test(id)) return undefined;
    for (const experiment of await folders(this.#root)) {
      const run = await this.#read(experiment, id);
      if (run !== undefined) return run;
    }
    return undefined;
  }

  async *points(run: MlflowRun): AsyncGenerator<MlflowPoint> {
    const dir = join(this.#folder(run), "metrics");
    for (const file of await filesBelow(dir)) {
      const key = nameOf(dir, file);
      for await (const line of wholeLines(file)) {
        const point = pointOf(key, line);
        if (point !== undefined) yield point;
        else this.#passedOver(file);
      }
    }
  }

  files(run: MlflowRun): AsyncIterable<MlflowFile> {
    const beside = join(this.#folder(run), "artifacts");
    return artifactFiles(run.artifactUri || beside, { ...this.#places, beside });
  }

  loggedModels({ id }: MlflowExperiment): AsyncIterable<MlflowLoggedModel> {
    return loggedModelsOf(this.#root, id, {
      line: (file) => this.#passedOver(file),
      deletedModel: (model) => this.#deletedModels.add(model),
    });
  }

  modelFiles({ id, experimentId, artifactUri }: MlflowLoggedModel): AsyncIterable<MlflowFile> {
    const beside = join(modelFolder(this.#root, experimentId, id), "artifacts");
    return artifactFiles(artifactUri || beside, { ...this.#places, beside });
  }

  async *models(): AsyncGenerator<MlflowModel> {
    const root = join(this.#root, "models");
    for (const name of await folders(root)) {
      const dir = join(root, name);
      const meta = modelMeta.safeParse(await yamlIn(join(dir, "meta.yaml"))).data;
      if (meta === undefined) continue;
      const versions: MlflowModel["versions"][number][] = [];
      for (const folder of (await folders(dir)).filter((one) => /^version-\d+$/.test(one))) {
        const found = versionMeta.safeParse(await yamlIn(join(dir, folder, "meta.yaml"))).data;
        if (found === undefined || found.current_stage === "Deleted_Internal") continue;
        versions.push({
          model: meta.name,
          version: found.version,
          runId: found.run_id ?? "",
          source: found.storage_location ?? found.source ?? "",
          description: found.description ?? "",
          stage: found.current_stage ?? "None",
          tags: await textsBelow(join(dir, folder, "tags")),
        });
      }
      const aliases = Object.entries(await textsBelow(join(dir, "aliases")));
      yield {
        name: meta.name,
        description: meta.description ?? "",
        tags: await textsBelow(join(dir, "tags")),
        aliases: Object.fromEntries(aliases.map(([alias, version]) => [alias, Number(version)])),
        versions: versions.sort((a, b) => a.version - b.version),
      };
    }
  }

  async leftOut(): Promise<LeftOut[]> {
    const found: LeftOut[] = [...this.#unreadable].map(([file, count]) => ({
      what: `lines of ${relative(this.#root, file)}`,
      why: "they are no time, value and step",
      count,
    }));
    const add = (what: string, why: string, count: number) => {
      if (count > 0) found.push({ what, why, count });
    };
    const ids = (await folders(this.#root)).filter((name) => name !== "models");
    const within = async (name: string) =>
      (await Promise.all(ids.map((id) => folders(join(this.#root, id, name))))).flat().length;
    add("experiments", leftOutReasons.deleted, (await folders(join(this.#root, ".trash"))).length);
    add("runs", leftOutReasons.deleted, this.#deletedRuns.size);
    add("logged models", leftOutReasons.deleted, this.#deletedModels.size);
    add("traces", leftOutReasons.traces, await within("traces"));
    return found;
  }

  async close(): Promise<void> {}

  #passedOver(file: string): void {
    this.#unreadable.set(file, (this.#unreadable.get(file) ?? 0) + 1);
  }

  #folder(run: MlflowRun): string {
    return join(this.#root, run.experimentId, run.id);
  }

  async #read(experimentId: string, id: string): Promise<MlflowRun | undefined> {
    const dir = join(this.#root, experimentId, id);
    const meta = runMeta.safeParse(await yamlIn(join(dir, "meta.yaml"))).data;
    if (meta === undefined) return undefined;
    if (meta.lifecycle_stage !== "active") {
      this.#deletedRuns.add(id);
      return undefined;
    }
    const tags = await textsBelow(join(dir, "tags"));
    return {
      id,
      experimentId,
      name: meta.run_name ?? tags["mlflow.runName"] ?? id,
      status: statuses[meta.status] ?? "FAILED",
      startTimeMs: timeOf(meta.start_time),
      endTimeMs: timeOf(meta.end_time),
      params: await textsBelow(join(dir, "params")),
      tags,
      inputs: await this.#inputs(experimentId, join(dir, "inputs")),
      models: await modelLinksIn(dir),
      artifactUri: meta.artifact_uri ?? "",
    };
  }

  async #inputs(experimentId: string, dir: string): Promise<MlflowInput[]> {
    const inputs: MlflowInput[] = [];
    for (const name of await folders(dir)) {
      const input = inputMeta.safeParse(await yamlIn(join(dir, name, "meta.yaml"))).data;
      if (input?.source_type !== "DATASET" || !/^[0-9a-f]+$/.test(input.source_id)) continue;
      const file = join(this.#root, experimentId, "datasets", input.source_id, "meta.yaml");
      const dataset = datasetMeta.safeParse(await yamlIn(file)).data;
      if (dataset === undefined) continue;
      inputs.push({
        name: dataset.name,
        digest: dataset.digest,
        sourceType: dataset.source_type ?? "",
        source: dataset.source ?? "",
        schema: dataset.schema ?? "",
        profile: dataset.profile ?? "",
        tags: input.tags ?? {},
      });
    }
    return inputs;
  }
}

/** The logged models that a run was given, each in a folder of its own among its inputs, and made, in folders of their ids. */
async function modelLinksIn(dir: string): Promise<MlflowModelLink[]> {
  const links: MlflowModelLink[] = [];
  for (const name of await folders(join(dir, "inputs"))) {
    const input = inputMeta.safeParse(await yamlIn(join(dir, "inputs", name, "meta.yaml"))).data;
    if (input?.source_type === "MODEL") links.push({ modelId: input.source_id, output: false, step: 0n });
  }
  for (const modelId of await folders(join(dir, "outputs"))) {
    const output = outputMeta.safeParse(await yamlIn(join(dir, "outputs", modelId, "meta.yaml"))).data;
    if (output !== undefined) links.push({ modelId, output: true, step: wholeOf(output.step ?? 0) });
  }
  return links;
}

/** "TIME VALUE STEP", before MLflow had steps without one; undefined for anything else. */
function pointOf(key: string, line: string): MlflowPoint | undefined {
  const [time, value, step] = line.split(" ");
  try {
    return {
      key,
      timeMs: Number(wholeOf(time)),
      value: doubleOf(value || undefined),
      step: wholeOf(step || "0"),
    };
  } catch {
    return undefined;
  }
}

/** Whether a folder is one that MLflow's file store wrote. */
export async function isFileStore(root: string): Promise<boolean> {
  for (const name of await folders(root)) if (await exists(join(root, name, "meta.yaml"))) return true;
  return false;
}
