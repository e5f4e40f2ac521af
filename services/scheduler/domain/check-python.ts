import { assertArtifactPath } from "@trainyard/domain";
import type { JobSpec } from "./job-spec.ts";
import { MAX_INTERPRETER_BYTES } from "./limits.ts";
import { expectText, expectThat, type Violation, violationsOf } from "./violation.ts";

/** What lists packages to install: `requirements.txt` (also `requirements-gpu.txt`, `reqs/base.txt`), `pyproject.toml`, `uv.lock`. */
const REQUIREMENTS_NAME = /(^|\/)(pyproject\.toml|uv\.lock|[^/]+\.txt)$/;

/** Checks the Python that a job brings. */
export function checkPython({ python, code }: JobSpec): readonly Violation[] {
  if (python === undefined) return [];
  const { interpreter, requirements } = python;
  const listed = "spec.python.requirements";
  return [
    ...expectThat(
      interpreter !== "" || requirements !== "",
      "spec.python",
      "expected an interpreter, or a file with requirements, or both",
    ),
    ...expectThat(
      interpreter === "" || interpreter.startsWith("/"),
      "spec.python.interpreter",
      `expected an absolute path on the nodes, got ${JSON.stringify(interpreter.slice(0, 80))}`,
    ),
    ...expectText("spec.python.interpreter", interpreter, MAX_INTERPRETER_BYTES),
    ...(requirements === "" ? [] : violationsOf(() => assertArtifactPath(listed, requirements))),
    ...expectThat(
      requirements === "" || REQUIREMENTS_NAME.test(requirements),
      listed,
      `expected a requirements.txt (or another .txt), a pyproject.toml or a uv.lock, got ${JSON.stringify(requirements.slice(0, 80))}`,
    ),
    ...expectThat(
      requirements === "" || code.digest !== "",
      listed,
      "expected a code bundle that holds the file",
    ),
  ];
}
