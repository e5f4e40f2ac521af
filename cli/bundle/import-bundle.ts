import { fromJson, type JsonValue } from "@bufbuild/protobuf";
import { tracking } from "@trainyard/contracts";
import { z } from "zod";
import { callError } from "../client/call-error.ts";
import { exitCodes } from "../exit-codes.ts";
import { ensureExperiment } from "../moving/ensure-experiment.ts";
import { Problems, problemLine } from "../moving/problems.ts";
import { RunWriter } from "../moving/run-writer.ts";
import type { Session } from "../session.ts";
import { style } from "../terminal/style.ts";
import { safeText } from "../terminal/text.ts";
import { entryName } from "./bundle-format.ts";
import { type BundleDeps, importBundledRun } from "./import-bundled-run.ts";
import { Bundle, invalid } from "./read-bundle.ts";

/** The options of `import bundle`. */
export interface BundleFlags {
  readonly experiment?: string;
}

/** Brings over what a bundle holds. Done again, or with a newer bundle of the same runs, it brings over what is new. */
export async function importBundle(session: Session, file: string, flags: BundleFlags): Promise<number> {
  const interrupted = new AbortController();
  process.once("SIGINT", () => interrupted.abort());
  const bundle = await Bundle.open(file, interrupted.signal);
  try {
    const clients = await session.clients();
    const problems = new Problems();
    const writer = new RunWriter(clients, session.address, problems);
    const deps = { clients, writer, problems, signal: interrupted.signal, bundle };
    const runs = await importRuns(deps, flags);
    if (session.json) session.print(JSON.stringify({ runs, problems: problems.list() }, undefined, 2));
    for (const { from, runId, outcome, points, files } of runs)
      session.say(
        `${from} ${style.dim("→")} ${style.bold(runId)}  ${outcome === "known" ? "known already" : `${outcome}: ${points} points, ${files} files`}`,
      );
    for (const problem of problems.list()) process.stderr.write(`${safeText(problemLine(problem))}\n`);
    return exitCodes.ok;
  } catch (error) {
    if (!interrupted.signal.aborted) throw error;
    process.stderr.write("stopped; the same command goes on from here\n");
    return exitCodes.interrupted;
  } finally {
    await bundle.close();
  }
}

/** One run of the bundle, and what became of it. */
interface Brought {
  readonly from: string;
  readonly runId: string;
  readonly outcome: "new" | "continued" | "known";
  readonly points: number;
  readonly files: number;
}

async function importRuns(deps: BundleDeps, flags: BundleFlags): Promise<Brought[]> {
  const { bundle, signal } = deps;
  const runs = new Map<string, tracking.Run>();
  for (const id of bundle.head.runs)
    runs.set(id, await messageOf(bundle, entryName.run(id), tracking.RunSchema));
  const experiments = new Map<string, string>();
  for (const id of bundle.head.experiments) {
    const told = await messageOf(bundle, entryName.experiment(id), tracking.ExperimentSchema);
    const name = flags.experiment ?? told.name;
    const made = await ensureExperiment(deps.clients, { ...told, name });
    experiments.set(id, made.id);
  }
  const brought = new Map<string, Brought>();
  for (const run of parentsFirst(runs)) {
    signal.throwIfAborted();
    const experiment = experiments.get(run.experimentId);
    if (experiment === undefined) throw invalid(`run ${run.id} is of an experiment that is not in it`);
    const parent = brought.get(run.parentRunId)?.runId;
    const told = await importBundledRun(deps, run, experiment, parent).catch((error: unknown) => {
      const refused = callError(error, "");
      // One run that the platform refuses keeps no other out.
      if (refused.code !== "invalid_argument") throw error;
      deps.problems.add(`run ${run.id}`, refused.message);
      return undefined;
    });
    if (told !== undefined) brought.set(run.id, { from: run.id, ...told });
  }
  return [...brought.values()];
}

/** Each run after the one it is nested in, where that is in the bundle; a circle is cut where it is met. */
function parentsFirst(runs: ReadonlyMap<string, tracking.Run>): tracking.Run[] {
  const order = new Map<string, tracking.Run>();
  for (const run of runs.values()) {
    const chain: tracking.Run[] = [];
    for (let at: tracking.Run | undefined = run; at !== undefined; at = runs.get(at.parentRunId)) {
      if (order.has(at.id) || chain.includes(at)) break;
      chain.push(at);
    }
    for (const one of chain.reverse()) order.set(one.id, one);
  }
  return [...order.values()];
}

async function messageOf<D extends typeof tracking.RunSchema | typeof tracking.ExperimentSchema>(
  bundle: Bundle,
  name: string,
  schema: D,
) {
  const value = await bundle.json(name, z.json());
  try {
    // What a newer platform wrote beside what is known here is left out.
    return fromJson(schema, value as JsonValue, { ignoreUnknownFields: true });
  } catch (error) {
    throw invalid(`${name}: ${error instanceof Error ? error.message : String(error)}`);
  }
}
