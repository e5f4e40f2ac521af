import { createHash, randomUUID } from "node:crypto";
import { constants, existsSync } from "node:fs";
import { cp, mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Logger } from "@trainyard/telemetry";
import type { PythonWish } from "../domain/assignment.ts";
import {
  buildFailureReason,
  namesOtherFiles,
  type PythonRecipe,
  recipeText,
  requirementsKind,
} from "../domain/python-recipe.ts";
import { StartError } from "../prepare/start-error.ts";
import { isDiskFull, syncFolder } from "../ranks/durable-file.ts";
import { buildEnvironment } from "./build-environment.ts";
import { isWhole, recordEnvironment } from "./environment-files.ts";
import { PythonInspector } from "./inspect-python.ts";
import { UvError } from "./run-uv.ts";

/** Environments that are kept; beyond it the one that was used longest ago goes. */
export const MAX_ENVIRONMENTS = 16;
/** One that was used so lately may be in use by an attempt. */
const IN_USE_MS = 60 * 60_000;
/** Lines of a build that whoever comes later is told. */
const MAX_LINES_KEPT = 1_000;
const MAX_REQUIREMENTS_BYTES = 16 * 1024 * 1024;

export interface PythonEnvironmentsOptions {
  /** `<agentDir>/cache/python`. */
  readonly dir: string;
  /** The node's own interpreter. */
  readonly python: string;
  /** The program uv; absent: jobs that list packages cannot start here. */
  readonly uv?: string | undefined;
  /** What uv and interpreters are started with. */
  readonly env: Readonly<Record<string, string>>;
  /** Ends builds when the agent stops; an attempt that is stopped leaves its build to the others that wait for it. */
  readonly signal: AbortSignal;
  /** Interpreters of attempts that are there. */
  readonly inUse: () => Promise<ReadonlySet<string>>;
  readonly logger: Logger;
}

/** What of a job an environment is made from. */
export interface PythonRequest {
  readonly wish: PythonWish;
  readonly codeDigest: string;
  /** The job's code, unpacked. */
  readonly codeDir: string;
  /** Told what is going on, for the job's log. */
  readonly onLine: (line: string) => void;
}

interface Build {
  readonly done: Promise<string>;
  /** Has someone told what was said so far, and what will be. */
  listen(onLine: (line: string) => void): void;
}

/**
 * The Python environments of jobs on this node's disk, by the digest of what they are made of (`cache/python/<key>/`). Each
 * is built once, under another name, and renamed when it is whole; attempts that need the same at once share one build.
 */
export class PythonEnvironments {
  readonly #options: PythonEnvironmentsOptions;
  readonly #inspector = new PythonInspector();
  readonly #builds = new Map<string, Build>();
  readonly #checked = new Set<string>();

  constructor(options: PythonEnvironmentsOptions) {
    this.#options = options;
  }

  /** Removes what an agent that was killed left half built. */
  async open(): Promise<void> {
    const { dir } = this.#options;
    await mkdir(dir, { recursive: true, mode: 0o700 });
    const left = (await readdir(dir)).filter((name) => name.startsWith("."));
    await Promise.all(left.map((name) => rm(join(dir, name), { recursive: true, force: true })));
  }

  /** The interpreter that the job's ranks run under, its environment built if it is not there. Throws `StartError`. */
  async interpreterFor(request: PythonRequest): Promise<string> {
    const { env, dir } = this.#options;
    const python = request.wish.interpreter || this.#options.python;
    const interpreter = await this.#inspector.inspect(python, env);
    if (request.wish.requirements === "") return python;
    const recipe: PythonRecipe = {
      python,
      interpreter,
      isolated: request.wish.isolated,
      ...(await readRequirements(request)),
    };
    const key = createHash("sha256").update(recipeText(recipe)).digest("hex");
    const place = join(dir, key);
    const running = this.#builds.get(key);
    if (running === undefined && (await this.#isThere(key, place, request.onLine))) return pythonIn(place);
    const build = this.#builds.get(key) ?? this.#begin(key, place, recipe, request);
    build.listen(request.onLine);
    return build.done;
  }

  async #isThere(key: string, place: string, onLine: (line: string) => void): Promise<boolean> {
    if (!existsSync(place)) return false;
    // Every file is looked at once per life of the agent; after that only whether the interpreter is there.
    const whole = this.#checked.has(key) ? existsSync(pythonIn(place)) : await isWhole(place);
    if (!whole) {
      this.#checked.delete(key);
      onLine(`the Python environment ${key.slice(0, 12)} is damaged and is built anew`);
      await this.#discard(place);
      return false;
    }
    this.#checked.add(key);
    await touch(place);
    onLine(`using the Python environment ${key.slice(0, 12)}`);
    return true;
  }

  #begin(key: string, place: string, recipe: PythonRecipe, request: PythonRequest): Build {
    const listeners: ((line: string) => void)[] = [];
    const lines: string[] = [];
    const tell = (line: string) => {
      if (lines.length < MAX_LINES_KEPT) lines.push(line);
      for (const listener of listeners) listener(line);
    };
    const done = this.#build(key, place, recipe, request, tell).finally(() => this.#builds.delete(key));
    // Each waiter handles it; a build that all have left must not end the agent.
    done.catch(() => undefined);
    const build: Build = {
      done,
      listen(onLine) {
        for (const line of lines) onLine(line);
        listeners.push(onLine);
      },
    };
    this.#builds.set(key, build);
    return build;
  }

  async #build(
    key: string,
    place: string,
    recipe: PythonRecipe,
    { wish, codeDir }: PythonRequest,
    tell: (line: string) => void,
  ): Promise<string> {
    const { uv, env, dir, signal, logger } = this.#options;
    if (uv === undefined) {
      const message = `This node has no uv, which builds the environment from ${wish.requirements}: install it there, or set TRAINYARD_UV of its agent.`;
      throw new StartError("START_FAILED", message);
    }
    const temporary = join(dir, `.building-${randomUUID()}`);
    const source = `${temporary}.code`;
    const started = performance.now();
    let said = "";
    const onLine = (line: string) => {
      said = `${said}${line}\n`.slice(-4_096);
      tell(line);
    };
    tell(`building the Python environment ${key.slice(0, 12)} from ${wish.requirements}`);
    try {
      await placeSources(source, recipe, codeDir);
      await buildEnvironment(temporary, recipe, { uv, env, codeDir: source, onLine, signal });
      await recordEnvironment(temporary);
      await rename(temporary, place);
      await syncFolder(dir);
    } catch (error) {
      await rm(temporary, { recursive: true, force: true });
      signal.throwIfAborted();
      throw buildError(error, wish.requirements, said);
    } finally {
      await rm(source, { recursive: true, force: true });
    }
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    tell(`the Python environment is built after ${seconds} s`);
    logger.info({ environment: key, seconds: Number(seconds) }, "a Python environment was built");
    this.#checked.add(key);
    await this.#evict().catch((error: unknown) =>
      logger.warn({ err: error }, "old Python environments are not removed"),
    );
    return pythonIn(place);
  }

  async #evict(): Promise<void> {
    const { dir, inUse } = this.#options;
    const names = (await readdir(dir)).filter((name) => !name.startsWith("."));
    if (names.length <= MAX_ENVIRONMENTS) return;
    const used = await inUse();
    const byAge = await Promise.all(
      names.map(async (name) => ({ name, usedAtMs: (await stat(join(dir, name))).mtimeMs })),
    );
    const old = byAge
      .filter(
        ({ name, usedAtMs }) => Date.now() - usedAtMs > IN_USE_MS && !used.has(pythonIn(join(dir, name))),
      )
      .sort((a, b) => a.usedAtMs - b.usedAtMs)
      .slice(0, names.length - MAX_ENVIRONMENTS);
    for (const { name } of old) {
      this.#checked.delete(name);
      await this.#discard(join(dir, name));
    }
  }

  /** Renamed first, so that a crash in between leaves nothing that looks like an environment. */
  async #discard(place: string): Promise<void> {
    const rubbish = join(dirname(place), `.discarded-${randomUUID()}`);
    await rename(place, rubbish);
    await rm(rubbish, { recursive: true, force: true });
  }
}

function pythonIn(place: string): string {
  return join(place, "bin/python");
}

/**
 * A copy of what the build reads: the attempt that asked first may be over, and deleted, before the build is; and building a
 * package may write beside its sources.
 */
async function placeSources(
  source: string,
  { files, codeDigest }: PythonRecipe,
  codeDir: string,
): Promise<void> {
  if (codeDigest !== "") {
    const mode = constants.COPYFILE_FICLONE;
    return cp(codeDir, source, { recursive: true, verbatimSymlinks: true, mode });
  }
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(source, path)), { recursive: true, mode: 0o700 });
    await writeFile(join(source, path), text);
  }
}

/** The time of its last use. */
async function touch(place: string): Promise<void> {
  const now = new Date();
  await utimes(place, now, now);
}

async function readRequirements({ wish, codeDir, codeDigest }: PythonRequest) {
  const path = wish.requirements;
  const kind = requirementsKind(path);
  const text = await readFileOf(codeDir, path);
  if (kind !== "lock") {
    return { kind, files: { [path]: text }, codeDigest: namesOtherFiles(text) ? codeDigest : "" };
  }
  // uv reads a lock beside the project that it locks.
  const project = `${path.slice(0, -"uv.lock".length)}pyproject.toml`;
  return { kind, files: { [path]: text, [project]: await readFileOf(codeDir, project) }, codeDigest: "" };
}

async function readFileOf(codeDir: string, path: string): Promise<string> {
  try {
    const { size } = await stat(join(codeDir, path));
    if (size > MAX_REQUIREMENTS_BYTES) throw new Error(`it is larger than ${MAX_REQUIREMENTS_BYTES} bytes`);
    return await readFile(join(codeDir, path), "utf8");
  } catch (error) {
    const missing = error instanceof Error && "code" in error && error.code === "ENOENT";
    const why = missing ? "the code bundle holds no such file" : `it cannot be read: ${String(error)}`;
    const message = `python.requirements names ${path}, but ${why}. Correct the path, or take it out of .gitignore.`;
    throw new StartError("PYTHON_ENVIRONMENT_FAILED", message, error);
  }
}

function buildError(error: unknown, requirements: string, said: string): StartError {
  if (isDiskFull(error))
    return new StartError("START_FAILED", "The disk of the node is full; free space on it.", error);
  const tail = error instanceof UvError ? error.tail : said;
  const reason = error instanceof UvError ? buildFailureReason(tail) : "START_FAILED";
  const why = error instanceof Error ? error.message : String(error);
  const message = `The Python environment of ${requirements} cannot be built: ${why}.`;
  return new StartError(reason, message, error, tail);
}
