import { describe, expect, it } from "vitest";
import { leastRecentlyUsed } from "./least-recently-used.ts";
import {
  buildFailureReason,
  missingPins,
  namesOtherFiles,
  type PythonRecipe,
  pinsByHash,
  recipeText,
  requirementsKind,
} from "./python-recipe.ts";

const recipe: PythonRecipe = {
  python: "/venv/bin/python",
  interpreter: { version: "3.12.1", libraries: ["/lib"], packages: { torch: "2.15.0" } },
  isolated: false,
  kind: "requirements",
  files: { "requirements.txt": "six" },
  codeDigest: "",
};

describe("a Python environment's key", () => {
  it("changes with everything that it is made of", () => {
    const changes: Partial<PythonRecipe>[] = [
      { python: "/other" },
      { interpreter: { ...recipe.interpreter, version: "3.12.2" } },
      { interpreter: { ...recipe.interpreter, packages: { torch: "2.16.0" } } },
      { isolated: true },
      { kind: "pyproject" },
      { files: { "requirements.txt": "six==1.17.0" } },
      { codeDigest: "a" },
    ];
    const texts = [recipe, ...changes.map((change) => ({ ...recipe, ...change }))].map(recipeText);
    expect(new Set(texts).size).toBe(texts.length);
  });

  it("does not change with packages that an isolated environment never sees", () => {
    const isolated = { ...recipe, isolated: true };
    const other = { ...isolated, interpreter: { ...recipe.interpreter, packages: {} } };
    expect(recipeText(other)).toBe(recipeText(isolated));
  });
});

it.each([
  ["six\nnumpy>=2 # fast", false],
  ["-r base.txt", true],
  ["six\n--constraint=limits.txt", true],
  ["-e .", true],
  ["./wheels/x.whl", true],
  ["mine @ file:///tmp/x.whl", true],
  ["# -r base.txt", false],
  ["--index-url https://example.org/simple", false],
])("%j names other files of the bundle: %s", (text, names) => {
  expect(namesOtherFiles(text)).toBe(names);
});

it("installs what is not beneath in that very version, with its hashes, and nothing else", () => {
  const pins = `# made by uv
torch==2.15.0
NumPy==2.4.6 \\
    --hash=sha256:aa \\
    --hash=sha256:bb
scikit_learn[extra]==1.9.1
six==1.17.0 ; python_version < "4"
mine @ https://example.org/mine.whl
--index-url https://example.org/simple`;
  expect(missingPins(pins, { torch: "2.15.0", numpy: "2.0.0", "scikit-learn": "1.9.1" })).toEqual([
    "NumPy==2.4.6      --hash=sha256:aa      --hash=sha256:bb",
    'six==1.17.0 ; python_version < "4"',
    "mine @ https://example.org/mine.whl",
    "--index-url https://example.org/simple",
  ]);
});

it("knows its kinds, and files that are pinned by hash", () => {
  expect(["a/uv.lock", "pyproject.toml", "reqs/gpu.txt"].map(requirementsKind)).toEqual([
    "lock",
    "pyproject",
    "requirements",
  ]);
  expect([pinsByHash("six==1 --hash=sha256:aa"), pinsByHash("six==1")]).toEqual([true, false]);
});

it.each([
  ["error: No solution found when resolving dependencies", "PYTHON_ENVIRONMENT_FAILED"],
  [
    "error: Failed to fetch: `https://x`\n  Caused by: error sending request for url",
    "PYTHON_PACKAGES_UNREACHABLE",
  ],
  ["error: failed to write: No space left on device (os error 28)", "START_FAILED"],
] as const)("%j is %s", (output, reason) => {
  expect(buildFailureReason(output)).toBe(reason);
});

it("lets those go that were used longest ago", () => {
  const ages = new Map([
    ["b", 2],
    ["a", 1],
    ["c", 3],
  ]);
  expect([leastRecentlyUsed(ages, 2), leastRecentlyUsed(ages, 3), leastRecentlyUsed(ages, 0)]).toEqual([
    ["a"],
    [],
    ["a", "b", "c"],
  ]);
});
