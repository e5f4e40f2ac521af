import type { tracking } from "@trainyard/contracts";
import { callError } from "../client/call-error.ts";
import { exitCodes } from "../exit-codes.ts";
import { ensureExperiment } from "../moving/ensure-experiment.ts";
import { Problems, problemLine } from "../moving/problems.ts";
import { RunWriter } from "../moving/run-writer.ts";
import type { Session } from "../session.ts";
import { style } from "../terminal/style.ts";
import { safeText } from "../terminal/text.ts";
import { importLinks, importLoggedModel } from "./import-logged-model.ts";
import { importModels, withoutSlash } from "./import-models.ts";
import { type ImportDeps, type ImportedRun, importRun } from "./import-run.ts";
import {
  type MlflowExperiment,
  type MlflowModelLink,
  type MlflowRun,
  type MlflowSource,
  mlflowTags,
} from "./mlflow-source.ts";
import { openMlflow } from "./open-mlflow.ts";

/** The options of `import mlflow`. */
export interface ImportFlags {
  readonly from: string;
  readonly artifacts?: string;
  readonly experiment?: readonly string[];
  readonly models: boolean;
}

/** What an import did. */
interface Totals {
  experiments: number;
  runsNew: number;
  runsContinued: number;
  runsKnown: number;
  points: number;
  files: number;
  loggedModels: number;
  modelVersions: number;
}

/** Deepest nesting of runs that is followed; MLflow itself nests a handful. */
const maxDepth = 100;

/** Brings over what MLflow tracked. Done again, it brings over what is new. */
export async function importMlflow(session: Session, flags: ImportFlags): Promise<number> {
  const interrupted = new AbortController();
  process.once("SIGINT", () => interrupted.abort());
  const source = await openMlflow(flags.from, flags.artifacts, process.env);
  try {
    const clients = await session.clients();
    const problems = new Problems();
    const writer = new RunWriter(clients, session.address, problems);
    const { address } = session;
    const deps = { clients, address, writer, problems, signal: interrupted.signal };
    const importer = new Importer(deps, source, session);
    await importer.run(flags);
    importer.tell();
    return exitCodes.ok;
  } catch (error) {
    if (!interrupted.signal.aborted) throw error;
    process.stderr.write("stopped; the same command goes on from here\n");
    return exitCodes.interrupted;
  } finally {
    await source.close();
  }
}

class Importer {
  readonly #deps: ImportDeps;
  readonly #source: MlflowSource;
  readonly #session: Session;
  /** Runs here by their ids there. */
  readonly #runs = new Map<string, string>();
  readonly #artifactUris = new Map<string, string>();
  /** The logged models that runs there were given and made, by the runs' ids here. */
  readonly #links = new Map<string, readonly MlflowModelLink[]>();
  /** Logged models here by their ids there, and those by where their files are. */
  readonly #loggedModels = new Map<string, string>();
  readonly #loggedModelPlaces = new Map<string, string>();
  readonly #totals: Totals = {
    experiments: 0,
    runsNew: 0,
    runsContinued: 0,
    runsKnown: 0,
    points: 0,
    files: 0,
    loggedModels: 0,
    modelVersions: 0,
  };

  constructor(deps: ImportDeps, source: MlflowSource, session: Session) {
    this.#deps = deps;
    this.#source = source;
    this.#session = session;
  }

  async run(flags: ImportFlags): Promise<void> {
    const wanted = flags.experiment ?? [];
    const brought: [MlflowExperiment, string][] = [];
    const names = new Set<string>();
    for await (const experiment of this.#source.experiments()) {
      if (wanted.length > 0 && !wanted.includes(experiment.name)) continue;
      names.add(experiment.name);
      const id = await this.#importExperiment(experiment);
      if (id !== undefined) brought.push([experiment, id]);
    }
    for (const name of wanted)
      if (!names.has(name)) this.#deps.problems.add(`experiment ${name}`, "it is not there, or deleted");
    // A logged model may be of a run of another experiment, and a run may have been given one: so each comes after all runs.
    for (const [experiment, id] of brought) await this.#importLoggedModels(experiment, id);
    for (const [runId, links] of this.#links) await importLinks(this.#deps, runId, links, this.#loggedModels);
    if (flags.models)
      this.#totals.modelVersions = await importModels(this.#deps, this.#source, {
        runs: this.#runs,
        artifactUris: this.#artifactUris,
        loggedModels: this.#loggedModels,
        loggedModelPlaces: this.#loggedModelPlaces,
      });
    for (const { what, why, count } of await this.#source.leftOut())
      this.#deps.problems.add(what, why, count);
  }

  /** Tells what was done, and what could not be. */
  tell(): void {
    const problems = this.#deps.problems.list();
    if (this.#session.json) {
      this.#session.print(JSON.stringify({ ...this.#totals, problems }, undefined, 2));
      return;
    }
    const { experiments, runsNew, runsContinued, runsKnown, points, files } = this.#totals;
    const { loggedModels, modelVersions } = this.#totals;
    const runs = `${runsNew} new, ${runsContinued} continued, ${runsKnown} known already`;
    this.#session.print(
      `${style.good("imported")}  ${experiments} experiments; runs: ${runs}; ${points} points, ${files} files, ${loggedModels} logged models, ${modelVersions} model versions`,
    );
    for (const problem of problems) process.stderr.write(`${safeText(problemLine(problem))}\n`);
  }

  /** Gives the experiment's id here; undefined when it cannot be. */
  async #importExperiment(experiment: MlflowExperiment): Promise<string | undefined> {
    const found = await this.#ensureExperiment(experiment);
    if (found === undefined) return undefined;
    this.#totals.experiments += 1;
    for await (const run of this.#source.runs(experiment)) {
      this.#deps.signal.throwIfAborted();
      await this.#importRun(run, found.id, 0);
    }
    return found.id;
  }

  async #importLoggedModels(experiment: MlflowExperiment, experimentId: string): Promise<void> {
    for await (const model of this.#source.loggedModels(experiment)) {
      this.#deps.signal.throwIfAborted();
      const imported = await importLoggedModel(this.#deps, this.#source, model, experimentId, this.#runs);
      this.#loggedModels.set(model.id, imported.id);
      if (model.artifactUri !== "") this.#loggedModelPlaces.set(withoutSlash(model.artifactUri), model.id);
      this.#totals.loggedModels += Number(imported.isNew);
      this.#totals.files += imported.files;
    }
  }

  /** The experiment of that name, with the tags and the description it has there; undefined when it cannot be. */
  async #ensureExperiment({ name, tags }: MlflowExperiment): Promise<tracking.Experiment | undefined> {
    const { clients, problems } = this.#deps;
    try {
      return await ensureExperiment(clients, { name, description: tags[mlflowTags.note] ?? "", tags });
    } catch (error) {
      const refused = callError(error, "");
      if (refused.code !== "failed_precondition" && refused.code !== "invalid_argument") throw error;
      problems.add(`experiment ${name}`, refused.message);
      return undefined;
    }
  }

  /** Brings a run over, its parent first. */
  async #importRun(run: MlflowRun, experiment: string, depth: number): Promise<string> {
    const known = this.#runs.get(run.id);
    if (known !== undefined) return known;
    const parent = await this.#parentOf(run, experiment, depth);
    const imported = await importRun(this.#deps, this.#source, run, experiment, parent);
    this.#runs.set(run.id, imported.runId);
    this.#artifactUris.set(run.id, run.artifactUri);
    if (run.models.length > 0) this.#links.set(imported.runId, run.models);
    this.#count(imported);
    if (process.stderr.isTTY === true && !this.#session.json)
      process.stderr.write(
        `\r\u001b[2K${this.#runs.size} runs, ${this.#totals.points} points, ${this.#totals.files} files`,
      );
    return imported.runId;
  }

  async #parentOf(run: MlflowRun, experiment: string, depth: number): Promise<string | undefined> {
    const id = run.tags[mlflowTags.parent];
    if (id === undefined || id === run.id || depth >= maxDepth) return undefined;
    const known = this.#runs.get(id);
    if (known !== undefined) return known;
    const parent = await this.#source.run(id);
    // Deleted, or of an experiment of its own: the tag still says what it was.
    if (parent === undefined || parent.experimentId !== run.experimentId) return undefined;
    return this.#importRun(parent, experiment, depth + 1);
  }

  #count({ outcome, points, files }: ImportedRun): void {
    if (outcome === "new") this.#totals.runsNew += 1;
    else if (outcome === "continued") this.#totals.runsContinued += 1;
    else this.#totals.runsKnown += 1;
    this.#totals.points += points;
    this.#totals.files += files;
  }
}
