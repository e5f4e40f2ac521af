import { assertArtifactPath } from "@trainyard/domain";
import type { JobSpec } from "./job-spec.ts";
import { MAX_ENTRYPOINT_WORD_BYTES, MAX_ENTRYPOINT_WORDS, MAX_INPUTS } from "./limits.ts";
import {
  expectDigest,
  expectInteger,
  expectText,
  expectThat,
  type Violation,
  violationsOf,
} from "./violation.ts";

const MODULE = /^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*$/;
/** The folder of an attempt's directory that inputs go to, so that they never replace the platform's own files. */
export const INPUTS_FOLDER = "inputs/";

/** Checks what runs in the ranks: code, entrypoint, inputs. */
export function checkProgram(spec: JobSpec): readonly Violation[] {
  return [...checkCode(spec), ...checkEntrypoint(spec), ...checkInputs(spec)];
}

function checkCode({ code }: JobSpec): readonly Violation[] {
  return [
    ...(code.digest === "" ? [] : expectDigest("spec.code.digest", code.digest)),
    ...expectInteger("spec.code.size_bytes", code.sizeBytes, 0, Number.MAX_SAFE_INTEGER),
    ...expectText("spec.code.git_commit", code.gitCommit, 64),
    ...(code.dirtyDiffDigest === "" ? [] : expectDigest("spec.code.dirty_diff_digest", code.dirtyDiffDigest)),
  ];
}

function checkEntrypoint({ entrypoint, code }: JobSpec): readonly Violation[] {
  const field = "spec.entrypoint";
  const [first, second] = entrypoint;
  if (first === undefined) return [{ field, description: 'expected a script, such as ["train.py"]' }];
  const words = [
    ...expectThat(
      entrypoint.length <= MAX_ENTRYPOINT_WORDS,
      field,
      `expected at most ${MAX_ENTRYPOINT_WORDS} words, got ${entrypoint.length}`,
    ),
    ...entrypoint.flatMap((word, index) => expectText(`${field}[${index}]`, word, MAX_ENTRYPOINT_WORD_BYTES)),
  ];
  if (first === "-m") {
    return [
      ...words,
      ...expectThat(MODULE.test(second ?? ""), `${field}[1]`, 'expected a module\'s name after "-m"'),
    ];
  }
  if (first === "--no-python") {
    const program = second ?? "";
    const description = "expected a program: a path in the bundle, or a name on the nodes' PATH";
    return [
      ...words,
      ...expectThat(program !== "" && !program.startsWith("-"), `${field}[1]`, description),
      ...(program.includes("/")
        ? violationsOf(() => assertArtifactPath(`${field}[1]`, program.replace(/^\.\//, "")))
        : []),
    ];
  }
  return [
    ...words,
    ...violationsOf(() => assertArtifactPath(`${field}[0]`, first)),
    ...expectThat(
      code.digest !== "",
      "spec.code.digest",
      'expected the code bundle that holds the script; only "-m" and "--no-python" run without one',
    ),
  ];
}

function checkInputs({ inputs }: JobSpec): readonly Violation[] {
  const paths = inputs.map(({ path }) => path);
  return [
    ...expectThat(
      inputs.length <= MAX_INPUTS,
      "spec.inputs",
      `expected at most ${MAX_INPUTS} files, got ${inputs.length}`,
    ),
    ...expectThat(new Set(paths).size === paths.length, "spec.inputs", "expected each path once"),
    ...inputs.flatMap(({ path, digest }, index) => [
      ...violationsOf(() => assertArtifactPath(`spec.inputs[${index}].path`, path)),
      ...expectThat(
        path.startsWith(INPUTS_FOLDER),
        `spec.inputs[${index}].path`,
        `expected a path below "${INPUTS_FOLDER}", got ${JSON.stringify(path.slice(0, 80))}`,
      ),
      ...expectDigest(`spec.inputs[${index}].digest`, digest),
    ]),
  ];
}
