import { createReadStream } from "node:fs";
import { readdir, readFile, stat } from "node:fs/promises";
import { dirname, join, relative, resolve, sep } from "node:path";
import { createInterface } from "node:readline";
import { parse } from "yaml";
import { z } from "zod";
import { type ArtifactPlaces, artifactFiles } from "./artifact-place.ts";
import type {
  MlflowExperiment,
  MlflowFile,
  MlflowInput,
  MlflowModel,
  MlflowPoint,
  MlflowRun,
  MlflowSource,
  MlflowStatus,
} from "./mlflow-source.ts";
import { mlflowTags } from "./mlflow-source.ts";
import { doubleOf, timeOf, wholeOf } from "./numbers.ts";

/** No file that MLflow writes beside metrics and artifacts is larger. */
const maxTextBytes = 4 * 1024 * 1024;

const text = z.union([z.string(), z.number().transform(String)]);
const experimentMeta = z.object({
  experiment_id: text,
  name: text,
  lifecycle_stage: z.string().default("active"),
});
const runMeta = z.object({
  run_id: text,
  run_name: text.nullish(),
  experiment_id: text,
  lifecycle_stage: z.string().default("active"),
  status: z.number(),
  start_time: z.number().nullish(),
  end_time: z.number().nullish(),
  artifact_uri: z.string().nullish(),
});
const modelMeta = z.object({ name: text, description: z.string().nullish() });
const versionMeta = z.object({
  version: z.coerce.number(),
  description: z.string().nullish(),
  run_id: text.nullish(),
  source: z.string().nullish(),
  storage_location: z.string().nullish(),
  current_stage: z.string().nullish(),
});
const datasetMeta = z.object({
  name: text,
  digest: text,
  source_type: text.nullish(),
  source: text.nullish(),
  schema: text.nullish(),
  profile: text.nullish(),
});
const inputMeta = z.object({
  source_type: z.string(),
  source_id: z.string(),
  tags: z.record(z.string(), text).nullish(),
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
      const lines = createInterface({ input: createReadStream(file), crlfDelay: Number.POSITIVE_INFINITY });
      for await (const line of lines) {
        const [time, value, step] = line.split(" ");
        // The last line of a run that was killed may be cut short; so may lines of before there were steps.
        if (time === undefined || value === undefined || value === "") continue;
        yield { key, timeMs: Number(wholeOf(time)), value: doubleOf(value), step: wholeOf(step || "0") };
      }
    }
  }

  files(run: MlflowRun): AsyncIterable<MlflowFile> {
    const beside = join(this.#folder(run), "artifacts");
    return artifactFiles(run.artifactUri || beside, { ...this.#places, beside });
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

  async close(): Promise<void> {}

  #folder(run: MlflowRun): string {
    return join(this.#root, run.experimentId, run.id);
  }

  async #read(experimentId: string, id: string): Promise<MlflowRun | undefined> {
    const dir = join(this.#root, experimentId, id);
    const meta = runMeta.safeParse(await yamlIn(join(dir, "meta.yaml"))).data;
    if (meta === undefined || meta.lifecycle_stage !== "active") return undefined;
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

/** Whether a folder is one that MLflow's file store wrote. */
export async function isFileStore(root: string): Promise<boolean> {
  for (const name of await folders(root)) if (await exists(join(root, name, "meta.yaml"))) return true;
  return false;
}

/** A file per entry, its name the key (with "/" as folders), its content the value. */
async function textsBelow(dir: string): Promise<Record<string, string>> {
  const found: [string, string][] = [];
  for (const file of await filesBelow(dir)) found.push([nameOf(dir, file), await textIn(file)]);
  return Object.fromEntries(found);
}

async function filesBelow(dir: string): Promise<string[]> {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true }).catch(() => []);
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

async function folders(dir: string): Promise<string[]> {
  const entries = await readdir(dir, { withFileTypes: true }).catch(() => []);
  return entries
    .filter((entry) => entry.isDirectory() && entry.name !== ".trash")
    .map(({ name }) => name)
    .sort();
}

function nameOf(dir: string, file: string): string {
  return relative(dir, file).split(sep).join("/");
}

async function yamlIn(file: string): Promise<unknown> {
  if (!(await exists(file))) return undefined;
  try {
    return parse(await textIn(file), { maxAliasCount: 10 });
  } catch {
    // Half written, or another's: as if it were not there.
    return undefined;
  }
}

async function textIn(file: string): Promise<string> {
  const { size } = await stat(file);
  return size > maxTextBytes ? "" : readFile(file, "utf8");
}

async function exists(file: string): Promise<boolean> {
  return (await stat(file).catch(() => undefined)) !== undefined;
}

/** The context of an input, which MLflow keeps among its tags. */
export function contextOf(input: MlflowInput): string {
  return input.tags[mlflowTags.context] ?? "";
}
