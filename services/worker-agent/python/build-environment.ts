import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { asPins, missingPins, type PythonRecipe, pinsByHash } from "../domain/python-recipe.ts";
import { runUv, type UvOptions } from "./run-uv.ts";

/** What building draws on. */
export interface BuildTools extends Omit<UvOptions, "cwd"> {
  /** The job's code, unpacked: where the files that the recipe names are. */
  readonly codeDir: string;
}

/**
 * Makes an environment in `dir`: an empty one, the interpreter's own packages beneath it unless it is isolated, and in it
 * every package that the recipe resolves to and that is not beneath in that very version. What lies beneath is preferred
 * where the job's file leaves a choice, so that torch is not installed once more.
 */
export async function buildEnvironment(dir: string, recipe: PythonRecipe, tools: BuildTools): Promise<void> {
  const uv = (args: readonly string[], cwd = tools.codeDir) => runUv(args, { ...tools, cwd });
  // A name in the cache must not decide whether console scripts work: relocatable.
  await uv(["venv", "--quiet", "--no-project", "--relocatable", "--python", recipe.python, dir]);
  const [major, minor] = recipe.interpreter.version.split(".");
  const library = join(dir, "lib", `python${major}.${minor}`, "site-packages");
  const beneath = recipe.isolated ? {} : recipe.interpreter.packages;
  if (!recipe.isolated)
    await writeFile(
      join(library, "trainyard-beneath.pth"),
      recipe.interpreter.libraries.map((path) => `${path}\n`).join(""),
    );
  const notes = join(dir, "trainyard");
  await mkdir(notes);
  const pins = join(notes, "resolved.txt");
  await resolvePins(pins, recipe, beneath, uv);
  const missing = missingPins(await readFile(pins, "utf8"), beneath);
  const install = join(notes, "installed.txt");
  await writeFile(install, missing.map((line) => `${line}\n`).join(""));
  if (missing.some((line) => !line.startsWith("-")))
    await uv(["pip", "install", "--no-deps", "--python", join(dir, "bin/python"), "--requirements", install]);
  else tools.onLine("Everything that is asked for is there already.");
}

/** Writes exact versions of everything that the job's file asks for. */
async function resolvePins(
  pins: string,
  recipe: PythonRecipe,
  beneath: Readonly<Record<string, string>>,
  uv: (args: readonly string[], cwd?: string) => Promise<void>,
): Promise<void> {
  const [path = "", text = ""] = Object.entries(recipe.files)[0] ?? [];
  if (recipe.kind === "lock") {
    const project = path.includes("/") ? path.slice(0, path.lastIndexOf("/")) : ".";
    const terse = ["--no-header", "--no-annotate", "--quiet"];
    const only = ["--frozen", "--no-emit-project", "--no-dev"];
    return uv([
      "export",
      ...terse,
      ...only,
      "--project",
      project,
      "--python",
      recipe.python,
      "--output-file",
      pins,
    ]);
  }
  if (recipe.kind === "requirements" && pinsByHash(text)) return writeFile(pins, text);
  await writeFile(pins, asPins(beneath));
  const terse = [
    "--no-header",
    "--no-annotate",
    "--no-strip-markers",
    "--emit-index-url",
    "--emit-find-links",
  ];
  const output = ["--python", recipe.python, "--output-file", pins];
  // uv prints the result also where it writes it; progress and errors go to standard error.
  return uv(["pip", "compile", "--quiet", ...terse, ...output, path]);
}
