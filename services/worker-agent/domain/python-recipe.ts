/** What a list of packages is: it decides how it is turned into exact versions. */
export type RequirementsKind = "requirements" | "pyproject" | "lock";

export function requirementsKind(path: string): RequirementsKind {
  const name = path.slice(path.lastIndexOf("/") + 1);
  if (name === "uv.lock") return "lock";
  return name === "pyproject.toml" ? "pyproject" : "requirements";
}

/** An interpreter and what is installed for it, as it says itself. */
export interface Interpreter {
  /** Full version, such as 3.12.4. */
  readonly version: string;
  /** Folders that its packages are in. */
  readonly libraries: readonly string[];
  /** Distributions by normalized name, with their versions. */
  readonly packages: Readonly<Record<string, string>>;
}

/** Everything that an environment is made of; two that are equal are the same environment. */
export interface PythonRecipe {
  readonly python: string;
  readonly interpreter: Interpreter;
  readonly isolated: boolean;
  readonly kind: RequirementsKind;
  /** By path in the bundle, the file that the job names first. */
  readonly files: Readonly<Record<string, string>>;
  /** The whole bundle's digest, when the files name others of it; else empty. */
  readonly codeDigest: string;
}

/** The recipe as text, to be hashed: equal for equal recipes. */
export function recipeText(recipe: PythonRecipe): string {
  const { interpreter, files, isolated } = recipe;
  const beneath = isolated ? [] : [interpreter.libraries, Object.entries(interpreter.packages).sort()];
  return JSON.stringify([
    "trainyard-python-environment-v1",
    recipe.python,
    interpreter.version,
    isolated,
    beneath,
    recipe.kind,
    Object.entries(files),
    recipe.codeDigest,
  ]);
}

/** Whether a requirements file takes in other files of the bundle (`-r base.txt`, `-e .`, `./wheels/x.whl`). */
export function namesOtherFiles(text: string): boolean {
  return logicalLines(text).some((line) =>
    /^(-r|-c|-e|--requirement|--constraint|--editable|--find-links|-f)\b|^\.{0,2}\/|^file:|@\s*(file:|\.{0,2}\/)/.test(
      line,
    ),
  );
}

/** Whether a requirements file pins its packages by hash; it is installed as it stands then. */
export function pinsByHash(text: string): boolean {
  return /(^|\s)--hash=/.test(text);
}

/** `NumPy` and `scikit_learn` as indexes know them: `numpy`, `scikit-learn`. */
export function normalizedName(name: string): string {
  return name.toLowerCase().replaceAll(/[-_.]+/g, "-");
}

/** The versions of an interpreter's packages as a resolver reads them: what it should keep to where it can. */
export function asPins(packages: Readonly<Record<string, string>>): string {
  return Object.entries(packages)
    .map(([name, version]) => `${name}==${version}\n`)
    .join("");
}

/** The pins that the packages beneath do not already have in that very version; each with what belongs to it (its hashes). */
export function missingPins(pins: string, beneath: Readonly<Record<string, string>>): readonly string[] {
  return logicalLines(pins).filter((line) => {
    const pin = /^([A-Za-z0-9][A-Za-z0-9._-]*)(\[[^\]]*\])?\s*==\s*([^\s;\\]+)/.exec(line);
    if (pin === null) return true;
    const [, name = "", , version] = pin;
    return beneath[normalizedName(name)] !== version;
  });
}

/** Lines without comments, those continued by a backslash put together. */
function logicalLines(text: string): readonly string[] {
  return text
    .replaceAll(/\\\r?\n/g, " ")
    .split(/\r?\n/)
    .map((line) => line.replace(/(^|\s)#.*$/, "").trim())
    .filter((line) => line !== "");
}

/** Whose fault it is that uv failed: packages that do not exist are the job's, a registry that does not answer is not. */
export function buildFailureReason(
  output: string,
): "PYTHON_ENVIRONMENT_FAILED" | "PYTHON_PACKAGES_UNREACHABLE" | "START_FAILED" {
  if (/No space left on device|Disk quota exceeded/i.test(output)) return "START_FAILED";
  const unreachable =
    /error sending request|dns error|connection (refused|reset|closed)|operation timed out|network is unreachable|HTTP status (server error|5\d\d)|status code 5\d\d/i;
  return unreachable.test(output) ? "PYTHON_PACKAGES_UNREACHABLE" : "PYTHON_ENVIRONMENT_FAILED";
}
