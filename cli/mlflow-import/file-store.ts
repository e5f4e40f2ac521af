import { createReadStream } from "node:fs";
import { open, readdir, readFile, stat } from "node:fs/promises";
import { dirname, join, relative, resolve, sep } from "node:path";
import { createInterface } from "node:readline";
import { parse } from "yaml";
import { z } from "zod";
import { type ArtifactPlaces, artifactFiles } from "./artifact-place.ts";
import type {
  LeftOut,
  MlflowExperiment,
  MlflowFile,
  MlflowInput,
  MlflowModel,
  MlflowPoint,
  MlflowRun,
  MlflowSource,
  MlflowStatus,
} from "./mlflow-source.ts";
import { leftOutReasons, mlflowTags } from "./mlflow-source.ts";
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
  /** Lines of metric files that were passed over, by file. */
  readonly #unreadable = new Map<string, number>();
  readonly #deleted = new Set<string>();

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
        else this.#unreadable.set(file, (this.#unreadable.get(file) ?? 0) + 1);
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
    add("runs", leftOutReasons.deleted, this.#deleted.size);
    add("logged models", leftOutReasons.loggedModels, await within("models"));
    add("traces", leftOutReasons.traces, await within("traces"));
    return found;
  }

  async close(): Promise<void> {}

  #folder(run: MlflowRun): string {
    return join(this.#root, run.experimentId, run.id);
  }

  async #read(experimentId: string, id: string): Promise<MlflowRun | undefined> {
    const dir = join(this.#root, experimentId, id);
    const meta = runMeta.safeParse(await yamlIn(join(dir, "meta.yaml"))).data;
    if (meta === undefined) return undefined;
    if (meta.lifecycle_stage !== "active") {
      this.#deleted.add(id);
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

/** The lines of a file; one at its end that is still being written, or was cut short by a crash, is left for another time. */
async function* wholeLines(file: string): AsyncGenerator<string> {
  const lines = createInterface({ input: createReadStream(file), crlfDelay: Number.POSITIVE_INFINITY });
  let before: string | undefined;
  for await (const line of lines) {
    if (before !== undefined) yield before;
    before = line;
  }
  if (before !== undefined && (await endsWithNewline(file))) yield before;
}

async function endsWithNewline(file: string): Promise<boolean> {
  const handle = await open(file, "r");
  try {
    const { size } = await handle.stat();
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(1), 0, 1, Math.max(0, size - 1));
    return bytesRead === 1 && buffer[0] === 0x0a;
  } finally {
    await handle.close();
  }
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
