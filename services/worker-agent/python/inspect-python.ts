import { execFile } from "node:child_process";
import { stat } from "node:fs/promises";
import { promisify } from "node:util";
import { type Interpreter, normalizedName } from "../domain/python-recipe.ts";
import { StartError } from "../prepare/start-error.ts";

const TIMEOUT_MS = 60_000;
const MAX_OUTPUT_BYTES = 16 * 1024 * 1024;
/** -I: neither PYTHONPATH nor the user's own packages, which are no part of the interpreter's environment. */
const PROGRAM = `
import json, platform, sysconfig
from importlib import metadata
folders = list(dict.fromkeys(sysconfig.get_path(kind) for kind in ("purelib", "platlib")))
found = [(one.metadata["Name"], one.version) for one in metadata.distributions(path=folders)]
print(json.dumps({"version": platform.python_version(), "libraries": folders, "packages": [pair for pair in found if pair[0]]}))
`;

interface Known {
  readonly stamp: string;
  readonly interpreter: Interpreter;
}

/** Looks at interpreters, and again only when something was installed for them or removed. */
export class PythonInspector {
  readonly #known = new Map<string, Known>();

  /** What the interpreter says of itself. Throws `StartError` when it cannot be run. */
  async inspect(python: string, env: Readonly<Record<string, string>>): Promise<Interpreter> {
    const known = this.#known.get(python);
    if (known !== undefined && (await stampOf(known.interpreter.libraries)) === known.stamp)
      return known.interpreter;
    const interpreter = await ask(python, env);
    this.#known.set(python, { stamp: await stampOf(interpreter.libraries), interpreter });
    return interpreter;
  }
}

/** A folder's time changes with every package that comes or goes. */
async function stampOf(folders: readonly string[]): Promise<string> {
  const times = await Promise.all(
    folders.map(async (folder) => (await stat(folder).catch(() => undefined))?.mtimeMs ?? 0),
  );
  return times.join(" ");
}

async function ask(python: string, env: Readonly<Record<string, string>>): Promise<Interpreter> {
  try {
    const { stdout } = await promisify(execFile)(python, ["-I", "-c", PROGRAM], {
      env,
      timeout: TIMEOUT_MS,
      maxBuffer: MAX_OUTPUT_BYTES,
    });
    // Printed by the program above.
    const told = JSON.parse(stdout) as {
      readonly version: string;
      readonly libraries: readonly string[];
      readonly packages: readonly (readonly [string, string])[];
    };
    const packages = Object.fromEntries(
      told.packages.map(([name, version]) => [normalizedName(name), version]),
    );
    return { version: told.version, libraries: told.libraries, packages };
  } catch (error) {
    const why = error instanceof Error ? (error.message.split("\n")[0] ?? "") : String(error);
    const message = `The interpreter ${python} cannot be run on this node: ${why}. Correct python.interpreter, or install it there.`;
    throw new StartError("PYTHON_ENVIRONMENT_FAILED", message, error);
  }
}
