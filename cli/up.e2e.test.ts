import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { identifyProcess } from "@trainyard/local";
import { tempDir, waitFor } from "@trainyard/testing";
import { describe, expect, it } from "vitest";
import { startUp, trainyard } from "./testing/command-line.ts";

const data = tempDir("up");
const code = tempDir("code");
const hostData = tempDir("host-data");
writeFileSync(join(code, "good.py"), "print('hello from a rank')\n");
writeFileSync(join(code, "bad.py"), "raise ValueError('the learning rate is wrong')\n");

const run = (args: readonly string[], env: Record<string, string> = {}) =>
  trainyard(args, { cwd: code, env: { TRAINYARD_DATA: data, ...env } });

async function jobNames(): Promise<string[]> {
  const { stdout } = await run(["jobs", "--json"]);
  const answer = JSON.parse(stdout) as { jobs: { spec: { name: string } }[] };
  return answer.jobs.map(({ spec }) => spec.name).sort();
}

describe("a platform on one machine", () => {
  it("starts, runs a job that succeeds and one that fails, and leaves nothing behind when it stops", async () => {
    const up = await startUp(data, [], { TRAINYARD_DATA_ROOTS: hostData });

    const good = await run(["run", "--framework", "process", "--", "good.py"]);
    expect(good).toMatchObject({ code: 0 });
    expect(good.stdout).toContain("succeeded");
    const logs = await run(["logs", jobIdIn(good.stdout)]);
    expect(logs.stdout).toContain("hello from a rank");

    const bad = await run(["run", "--framework", "process", "--retries", "0", "--", "bad.py"]);
    expect(bad).toMatchObject({ code: 1 });
    expect(bad.stdout).toContain("ValueError: the learning rate is wrong");
    const status = await run(["status", jobIdIn(bad.stdout)]);
    expect(status.stdout).toContain("ValueError: the learning rate is wrong");

    await runsAndExperiments();
    await untrackedData();

    const second = await trainyard(["up", "--data", data, "--ports", "free"]);
    expect(second).toMatchObject({ code: 1 });
    expect(second.stderr).toContain(`process ${up.pid}`);

    const missing = await run(["jobs"], { TRAINYARD_DATA: tempDir("empty"), TRAINYARD_URL: up.url });
    expect(missing).toMatchObject({ code: 4 });
    expect(missing.stderr).toContain("TRAINYARD_TOKEN");
    const wrong = await run(["jobs"], { TRAINYARD_TOKEN: "ty_wrong" });
    expect(wrong).toMatchObject({ code: 4 });

    expect(await up.kill("SIGINT")).toMatchObject({ code: 0, stderr: "" });
    expect(up.serverPids.map(identifyProcess)).toEqual([undefined, undefined]);
    expect(existsSync(join(data, "platform.json"))).toBe(false);
    expect(existsSync(join(data, "up.lock"))).toBe(false);
    expect(await run(["jobs"], { TRAINYARD_URL: up.url })).toMatchObject({ code: 5 });
  });

  it("finds everything again after a stop, and after being killed", async () => {
    const again = await startUp(data);
    expect(await jobNames()).toEqual(["bad", "elsewhere", "good", "hosted"]);

    await again.kill("SIGKILL");
    await waitFor("the servers die with it", () =>
      again.serverPids.every((pid) => identifyProcess(pid) === undefined),
    );

    const third = await startUp(data);
    expect(await jobNames()).toEqual(["bad", "elsewhere", "good", "hosted"]);
    expect(await run(["run", "--framework", "process", "--", "good.py"])).toMatchObject({ code: 0 });
    expect(await third.kill("SIGTERM")).toMatchObject({ code: 0 });
  });
});

describe("what is wrong with a job file is told before anything is sent", () => {
  it.each([
    ["a syntax error", "name: x\nentrypoint: [train.py\n", /job\.yaml:\d+:\d+/],
    ["an unknown field", "name: x\nentrypoint: [a.py]\nrank: 2\n", /job\.yaml:3:\d+.*rank/],
    ["a wrong type", "name: x\nentrypoint: [a.py]\nranks: two\n", /job\.yaml:3:8/],
  ])("%s with file, line and column", async (_what, yaml, expected) => {
    const dir = tempDir("job");
    writeFileSync(join(dir, "job.yaml"), yaml);
    const ended = await trainyard(["submit", "job.yaml"], { cwd: dir });
    expect(ended.code).toBe(2);
    expect(ended.stderr).toMatch(expected);
    expect(ended.stderr).not.toMatch(/^\s+at /m);
  });

  it("a file that is not there, and how to get one", async () => {
    const ended = await trainyard(["submit", "none.yaml"]);
    expect(ended.code).toBe(3);
    expect(ended.stderr).toContain("trainyard init");
  });

  it("init writes a job file that is valid, and never overwrites", async () => {
    const dir = tempDir("init");
    expect(await trainyard(["init", dir])).toMatchObject({ code: 0 });
    expect(await trainyard(["init", dir])).toMatchObject({ code: 1 });
    const ended = await trainyard(["submit", join(dir, "job.yaml"), "--url", "http://127.0.0.1:1"]);
    expect(ended).toMatchObject({ code: 5 });
  });
});

/** Finds, tags, notes, deletes and restores the two jobs' runs. */
async function runsAndExperiments(): Promise<void> {
  const listed = async (...args: string[]) => {
    const { stdout } = await run(["runs", "--columns", "name,status,tags.kind", ...args]);
    return stdout.replace(/\n$/, "").split("\n");
  };
  expect(await listed("--order-by", "run_name")).toEqual(["bad\tfailed\t", "good\tcompleted\t"]);
  const { stdout } = await run(["runs", "--filter", "status = 'FAILED'", "--json"]);
  const [bad] = (JSON.parse(stdout) as { runs: { id: string; spec: { name: string } }[] }).runs;
  const id = bad?.id ?? "";
  expect(bad?.spec.name).toBe("bad");
  expect(await run(["runs", "tag", id, "kind=broken"])).toMatchObject({ code: 0 });
  expect(await listed("--filter", "tags.kind LIKE 'br%'")).toEqual(["bad\tfailed\tbroken"]);
  await run(["runs", "note", id, "the rate was wrong", "--step", "-3", "--key", "loss"]);
  const shown = await run(["runs", "show", id]);
  expect(shown.stdout).toMatch(/kind +broken/);
  expect(shown.stdout).toContain("(loss @ -3): the rate was wrong");
  const collected = await run(["gc", "--dry-run", "--as", "admin"]);
  expect(collected).toMatchObject({ code: 0, stdout: expect.stringMatching(/^would free 0 of \d+ blobs/) });
  await run(["runs", "delete", id]);
  expect(await listed()).toEqual(["good\tcompleted\t"]);
  expect(await listed("--view", "deleted")).toEqual(["bad\tfailed\tbroken"]);
  await run(["runs", "restore", id]);
  const wrong = await run(["runs", "--filter", "metrics.a > 'x'"]);
  expect(wrong).toMatchObject({ code: 2 });
  expect(wrong.stderr).toContain("filter: at character 13: expected a number");

  expect(await run(["experiments", "create", "by hand", "--tag", "team=vision"])).toMatchObject({ code: 0 });
  expect(await run(["experiments", "rename", "by hand", "by hand 2"])).toMatchObject({ code: 0 });
  const found = await run(["experiments", "--filter", "tags.team = 'vision'", "--json"]);
  expect((JSON.parse(found.stdout) as { experiments: { name: string }[] }).experiments).toMatchObject([
    { name: "by hand 2", lifecycle: "LIFECYCLE_ACTIVE" },
  ]);
  expect(await run(["experiments", "show", "none"])).toMatchObject({ code: 3 });
}

/** A job that reads a host path is marked, and what it makes is promoted with a waiver only. */
async function untrackedData(): Promise<void> {
  writeFileSync(join(hostData, "weights"), "3");
  writeFileSync(
    join(code, "host.py"),
    `import trainyard
run = trainyard.init()
with open(run.data_paths[0] + "/weights") as data, open("model.txt", "w") as model:
    model.write(data.read())
run.model("model.txt", {"inputs": [], "outputs": []})
run.finish()
`,
  );
  const job = (name: string, path: string) =>
    `name: ${name}\nframework: process\nentrypoint: [host.py]\nretries: 0\ndata: {paths: [${path}]}\nmodel: {name: hosted}\n`;
  writeFileSync(join(code, "host.yaml"), job("hosted", hostData));
  const submitted = await run(["submit", "host.yaml", "--follow", "--as", "submitter"]);
  expect(submitted).toMatchObject({ code: 0 });
  const found = await run(["runs", "--filter", "tags.`trainyard.untracked_data` = 'true'", "--json"]);
  const [marked] = (JSON.parse(found.stdout) as { runs: { id: string; untrackedData: boolean }[] }).runs;
  expect(marked).toMatchObject({ untrackedData: true });
  expect((await run(["runs", "show", marked?.id ?? ""])).stdout).toContain(`untracked data: ${hostData}`);
  await waitFor("its model version", async () => (await run(["models", "show", "hosted@1"])).code === 0);

  const promote = () => run(["promote", "hosted@1", "--stage", "canary", "--as", "approver"]);
  const refused = await promote();
  expect(refused.code).not.toBe(0);
  expect(refused.stderr).toContain("trainyard models waive");
  const waive = (as: string) => run(["models", "waive", "hosted@1", "--reason", "made by hand", "--as", as]);
  expect((await waive("submitter")).code).not.toBe(0);
  const waived = await waive("approver");
  expect(waived).toMatchObject({ code: 0 });
  expect(waived.stdout).toMatch(/data waived by \S+, .*: made by hand/);
  // Its data stands in the way no more; that nothing has judged it does.
  expect((await promote()).stderr).toContain("it has not been evaluated");

  const elsewhere = tempDir("elsewhere");
  writeFileSync(join(code, "host.yaml"), `${job("elsewhere", elsewhere)}failureBudgets: {data: 0}\n`);
  const denied = await run(["submit", "host.yaml", "--follow"]);
  expect(denied.stdout).toContain(
    `${elsewhere} is in none of the folders that this node allows: ${hostData}`,
  );
}

function jobIdIn(text: string): string {
  return /job_[0-9a-z]{26}/.exec(text)?.[0] ?? "";
}
