import { checkoutPython } from "../checkout.ts";
import type { Check } from "./check.ts";
import { generatedCheck } from "./generated-check.ts";
import { pytestCheck } from "./pytest-check.ts";
import { staticCheck } from "./static-check.ts";
import { vitestCheck } from "./vitest-check.ts";

/** Everything that `npm test` looks at, the quickest first, so that a slip shows early. */
export function checks(python: string = checkoutPython): readonly Check[] {
  const sdk = "sdk/python";
  return [
    staticCheck("lint", "format and lint (biome)", ["biome", "ci", "--colors=off", "."]),
    staticCheck("types", "types (tsc)", ["tsc", "--project", "tsconfig.json", "--pretty", "false"]),
    staticCheck("protos", "protos (buf lint)", ["buf", "lint"]),
    generatedCheck,
    staticCheck("python-lint", "Python lint (ruff)", [python, "-m", "ruff", "check", "--no-cache", "."], sdk),
    staticCheck(
      "python-format",
      "Python format (ruff)",
      [python, "-m", "ruff", "format", "--check", "--no-cache", "."],
      sdk,
    ),
    staticCheck("python-types", "Python types (mypy)", [python, "-m", "mypy", "--strict", "trainyard"], sdk),
    pytestCheck("python", "Python tests (pytest)", python),
    vitestCheck("unit", "unit tests"),
    vitestCheck("integration", "integration tests on real servers"),
    vitestCheck("e2e", "end-to-end tests"),
  ];
}
