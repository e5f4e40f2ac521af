import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { scheduler, type workeragent } from "@trainyard/contracts";
import { checkoutRoot, findUv } from "@trainyard/local";
import { type ServiceProcess, tempDir } from "@trainyard/testing";
import { beforeAll, expect, it } from "vitest";
import { uvEnvironment } from "./domain/rank-environment.ts";
import { type TestNode, testNode } from "./testing/test-node.ts";

const PACKAGE = "colorama==0.4.6";
const script = `
import importlib.util, sys
import colorama, trainyard
beneath = [importlib.util.find_spec(name) is not None for name in ("torch", "numpy")]
print(colorama.__version__, *beneath, sys.prefix != sys.base_prefix)
`;

// The way to the package registry is the machine's, as it is when a person starts an agent.
let node: TestNode;
let agent: ServiceProcess;

const start = (env: Readonly<Record<string, string>> = {}) =>
  node.startAgent({ ...uvEnvironment(process.env), ...env });

beforeAll(async () => {
  node = await testNode();
  agent = await start();
});

const job = (requirements: string, files: Readonly<Record<string, string>>, isolated = false) =>
  node.assignment({ script, files, spec: { python: { requirements, isolated } } });
const builds = () => agent.output().split("a Python environment was built").length - 1;
const environments = () =>
  readdirSync(join(node.agentDir, "cache/python")).filter((name) => !name.startsWith("."));
const log = ({ runId }: workeragent.Assignment, stream: "stdout" | "stderr") =>
  node.tracking.text(runId, 1, 0, stream);

async function ends(assignment: workeragent.Assignment): Promise<string> {
  const status = await node.reaches(assignment, "FINALIZED");
  expect(status.ranks[0]?.exit?.code, status.ranks[0]?.exit?.tracebackTail).toBe(0);
  return log(assignment, "stdout");
}

it("builds what jobs list once for two that need it at once, above the node's packages, and anew when it is damaged", {
  timeout: 300_000,
}, async () => {
  const files = { "requirements.txt": `${PACKAGE}\nnumpy\n` };
  const [one, two] = [await job("requirements.txt", files), await job("requirements.txt", files)];
  await node.desire([one, two]);
  expect([await ends(one), await ends(two)]).toEqual(Array(2).fill("0.4.6 True True True\n"));
  expect([builds(), environments().length]).toEqual([1, 1]);
  for (const each of [one, two])
    expect(log(each, "stderr")).toMatch(/trainyard: .*building the Python environment/);
  expect(log(one, "stderr")).toContain("trainyard: Installed 1 package in");
  const installed = join(node.agentDir, "cache/python", environments()[0] ?? "", "trainyard/installed.txt");
  expect(readFileSync(installed, "utf8").split("\n")).toContain(PACKAGE);
  expect(readFileSync(installed, "utf8")).not.toContain("numpy");

  const library = join(node.agentDir, "cache/python", environments()[0] ?? "", "lib");
  const [version = ""] = readdirSync(library);
  // A copy of its own first: the file may be the same one as in uv's cache.
  const damaged = join(library, version, "site-packages/colorama/__init__.py");
  const text = readFileSync(damaged);
  execFileSync("rm", [damaged]);
  writeFileSync(damaged, text);
  truncateSync(damaged, 3);
  await agent.kill("SIGKILL");
  agent = await start();
  const again = await job("requirements.txt", files);
  await node.desire([again]);
  expect(await ends(again)).toBe("0.4.6 True True True\n");
  expect(log(again, "stderr")).toContain("is damaged and is built anew");
  const cached = await job("requirements.txt", files);
  await node.desire([cached]);
  await ends(cached);
  expect(log(cached, "stderr")).toMatch(/^trainyard: using the Python environment [0-9a-f]{12}\n$/);
});

it("goes on where an agent left off that died with the environment built and no rank started", {
  timeout: 300_000,
}, async () => {
  await agent.kill("SIGKILL");
  const dying = await start({ TRAINYARD_CRASH_AT: "agent.python.made" });
  const one = await job("requirements.txt", { "requirements.txt": `${PACKAGE} # once more\n` });
  await node.desire([one]);
  await dying.exited;
  agent = await start();
  expect(await ends(one)).toBe("0.4.6 True True True\n");
});

it("installs exactly what a lock says, without the node's packages when the job hides them", {
  timeout: 300_000,
}, async () => {
  const project =
    '[project]\nname = "mine"\nversion = "1"\nrequires-python = ">=3.10"\ndependencies = ["colorama"]\n';
  const folder = tempDir("lock");
  writeFileSync(join(folder, "pyproject.toml"), project.replace('"colorama"', `"${PACKAGE}"`));
  execFileSync(
    findUv() ?? "uv",
    ["lock", "--quiet", "--python", node.platform.serviceEnv("worker-agent", node).TRAINYARD_PYTHON ?? ""],
    { cwd: folder },
  );
  const files = Object.fromEntries(
    ["pyproject.toml", "uv.lock"].map((name) => [`env/${name}`, readFileSync(join(folder, name), "utf8")]),
  );
  const locked = await job("env/uv.lock", files, true);
  const listed = await job("env/pyproject.toml", files);
  await node.desire([locked, listed]);
  expect(await ends(locked)).toBe("0.4.6 False False True\n");
  expect(await ends(listed)).toBe("0.4.6 True True True\n");
});

it("trains the XGBoost example, which brings its own packages and is no torch job", {
  timeout: 300_000,
}, async () => {
  const folder = join(checkoutRoot, "examples/process");
  const files = { "requirements.txt": readFileSync(join(folder, "requirements.txt"), "utf8") };
  const training = await node.assignment({
    script: readFileSync(join(folder, "train_xgboost.py"), "utf8"),
    files,
    spec: {
      framework: scheduler.Framework.PROCESS,
      python: { requirements: "requirements.txt" },
      params: { rounds: 5 },
    },
  });
  await node.desire([training]);
  expect(Number(/^error ([0-9.]+)$/m.exec(await ends(training))?.[1])).toBeLessThan(0.3);
  const errors = node.tracking.points(training.runId, 1, 0).map(({ value }) => value);
  expect(errors).toHaveLength(5);
  expect(errors.at(-1)).toBeLessThan(errors[0] ?? 0);
  expect(node.tracking.artifacts.map(({ file }) => file?.path)).toContain("model.json");
});

it("fails the job with the end of what uv said when its packages do not exist, and when a file or interpreter is missing", {
  timeout: 300_000,
}, async () => {
  const impossible = await job("requirements.txt", { "requirements.txt": "colorama==99.99" });
  const missing = await job("pyproject.toml", {});
  const nowhere = await node.assignment({ script, spec: { python: { interpreter: "/no/such/python" } } });
  await node.desire([impossible, missing, nowhere]);
  const status = await node.reaches(impossible, "FAILED_TO_START");
  expect(status).toMatchObject({ failureReason: "PYTHON_ENVIRONMENT_FAILED" });
  expect(status.failureTail).toContain("colorama==99.99");
  expect(log(impossible, "stderr")).toContain("colorama==99.99");
  expect((await node.reaches(missing, "FAILED_TO_START")).failureMessage).toContain("holds no such file");
  expect((await node.reaches(nowhere, "FAILED_TO_START")).failureMessage).toContain(
    "/no/such/python cannot be run",
  );
});
