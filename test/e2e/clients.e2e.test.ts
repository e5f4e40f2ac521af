import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { tracking } from "@trainyard/contracts";
import { checkoutRoot, serviceNames } from "@trainyard/local";
import { spawnScript, waitFor } from "@trainyard/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { digitsFlow, type Flow } from "../flow/flow.ts";
import { curl } from "./curl.ts";
import { finished, trainyard } from "./finished.ts";
import { serviceList } from "./service-list.ts";
import { startUnderTest, type UnderTest } from "./under-test.ts";

let under: UnderTest;
let flow: Flow;

beforeAll(async () => {
  under = await startUnderTest();
  flow = digitsFlow(under.fleet, under.dir, { epochs: 1, stepDelayMs: 0, checkpointEverySteps: 1_000 });
});

afterAll(async () => {
  await under.stop();
});

describe("a secret", () => {
  it("reaches the ranks of jobs that name it, and nothing else shows it", async () => {
    const value = "s3cr3t-örtlich-42";
    const caller = { url: under.url, token: under.fleet.tokens.submitter, cwd: under.dir };
    const set = await finished(
      process.execPath,
      [join(checkoutRoot, "cli/main.ts"), "secrets", "set", "hf-token"],
      {
        cwd: under.dir,
        env: { TRAINYARD_URL: caller.url, TRAINYARD_TOKEN: caller.token },
        input: `${value}\n`,
      },
    );
    expect(set).toMatchObject({ code: 0, stdout: "hf-token is set, version 1 (18 bytes)\n" });
    const folder = mkdtempSync(join(under.dir, "secret-"));
    writeFileSync(
      join(folder, "job.yaml"),
      `apiVersion: trainyard/v1
kind: TrainingJob
name: secretive
framework: process
entrypoint: [main.py]
secrets:
  - {name: hf-token, env: HF_TOKEN}
  - {name: hf-token, file: token.txt}
`,
    );
    writeFileSync(
      join(folder, "main.py"),
      `import os, sys
value = os.environ["HF_TOKEN"]
path = os.path.join(os.environ["TRAINYARD_SECRETS_DIR"], "token.txt")
assert open(path).read() == value and oct(os.stat(path).st_mode & 0o777) == "0o600"
print("length", len(value), "value", value, flush=True)
sys.stdout.write(value[:7]); sys.stdout.flush()
import time; time.sleep(0.3)
print(value[7:])
raise RuntimeError("refused: " + value)
`,
    );
    const run = await trainyard(caller, "submit", join(folder, "job.yaml"), "--follow");
    expect(run.code).toBe(1);
    const jobs = await trainyard(caller, "jobs", "--json");
    const id = (JSON.parse(jobs.stdout) as { jobs: { id: string; spec: { name: string } }[] }).jobs.find(
      ({ spec }) => spec.name === "secretive",
    )?.id;
    const logs = await trainyard(caller, "logs", id ?? "");
    expect(logs.stdout).toContain("length 17 value ******************");
    expect(logs.stdout.split("\n").some((line) => /^\d+\.0 \*{18}$/.test(line))).toBe(true);
    const status = await trainyard(caller, "status", id ?? "", "--json");
    expect(status.stdout).toContain("refused: ******************");
    const list = await trainyard(caller, "secrets", "list", "--json");
    const said = [run, jobs, logs, status, list, set].map(({ stdout, stderr }) => stdout + stderr).join("");
    const printed = [...serviceNames, "agent" as const].map((name) => under.fleet.output(name)).join("");
    expect(said + printed).not.toContain(value);
    expect(await trainyard(caller, "secrets", "rm", "hf-token")).toMatchObject({ code: 0 });
    const refused = await trainyard(caller, "submit", join(folder, "job.yaml"));
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain('there is no secret hf-token in project "default"');
  });
});

describe("the gRPC example", () => {
  const submit = (script: string, token = under.fleet.tokens.submitter, ...options: readonly string[]) => {
    const folder = mkdtempSync(join(under.dir, "client-"));
    writeFileSync(join(folder, "hello.py"), script);
    const main = join(checkoutRoot, "examples/clients/submit-grpc/main.ts");
    const args = [
      main,
      "--framework",
      "FRAMEWORK_PROCESS",
      ...options,
      "--",
      folder,
      "hello.py",
      "--name",
      "you",
    ];
    return finished(process.execPath, args, { env: { TRAINYARD_URL: under.url, TRAINYARD_TOKEN: token } });
  };

  it("submits a job, follows it and exits 0", async () => {
    const { code, stdout, stderr } = await submit("import sys\nassert sys.argv[1:] == ['--name', 'you']\n");
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const [accepted, ...states] = stdout.trimEnd().split("\n");
    expect(accepted).toMatch(/^job_\w+ accepted, run run_\w+$/);
    expect(states.at(-1)).toBe("succeeded");
  });

  it("exits 1 with the end of the traceback when the job fails", async () => {
    const { code, stdout, stderr } = await submit("raise RuntimeError('no luck')\n");
    expect(code).toBe(1);
    expect(stdout.trimEnd().split("\n").at(-1)).toBe("failed");
    expect(stderr).toContain('hello.py", line 1');
    expect(stderr).toContain("RuntimeError: no luck");
  });

  it("exits 1 with the platform's words when it is refused", async () => {
    const never = await submit("", under.fleet.tokens.submitter, "--ranks", "3");
    expect(never).toMatchObject({ code: 1, stdout: "" });
    expect(never.stderr).toMatch(
      /^FAILED_PRECONDITION: The gang needs 3 slots .* Ask for fewer, or add nodes\.$/m,
    );
    const nobody = await submit("", "ty_nonsense");
    expect(nobody).toMatchObject({ code: 1, stdout: "" });
    expect(nobody.stderr).toContain("TOKEN_INVALID");
  });
});

describe("the gateway", () => {
  it("lists and describes its services to gRPC clients that have no proto files", async () => {
    const { services, files } = await serviceList(under.url, "trainyard.scheduler.v1.SchedulerService");
    expect(services).toEqual(
      expect.arrayContaining([
        "grpc.health.v1.Health",
        "trainyard.dataset.v1.DatasetService",
        "trainyard.evaluation.v1.EvaluationService",
        "trainyard.gateway.v1.TokenService",
        "trainyard.registry.v1.RegistryService",
        "trainyard.scheduler.v1.SchedulerService",
        "trainyard.tracking.v1.TrackingService",
      ]),
    );
    // The service's own file and what it imports.
    expect(files).toBeGreaterThan(3);
  });
});

describe("curl", () => {
  const submitter = (method: string, path: string, body?: unknown) =>
    curl(under.url, under.fleet.tokens.submitter, method, path, body);
  const stagePath = (name: string, version: string) => `/api/v1/models/${name}/versions/${version}/stage`;
  const body = { name: "imported", version: "1.0.0", artifact_uri: "s3://models/imported/1" };

  it("registers a model version", async () => {
    const answer = await submitter("POST", "/api/v1/models/register", {
      ...body,
      metrics: { accuracy: 0.97 },
      stage: "staging",
    });
    expect(answer).toEqual({
      status: 201,
      json: {
        id: expect.stringMatching(/^mv_/),
        project: "default",
        model: "imported",
        number: 1,
        version: "1.0.0",
        stage: "staging",
        run_id: "",
        job_id: "",
        artifact_uri: "s3://models/imported/1",
        files: [],
        digest: "",
        framework: "",
        signature: null,
        metrics: { accuracy: 0.97 },
        dataset_version_id: "",
        code_digest: "",
        suite: "",
        gate: null,
        approvals: [],
        submitted_by: expect.stringMatching(/^user:/),
        promoted_by: "",
        promoted_at: null,
        notes: "",
        aggregate_version: 1,
        created_by: expect.stringMatching(/^user:/),
        created_at: expect.stringMatching(/^20\d\d-.*Z$/),
        traceparent: expect.any(String),
        tags: {},
        logged_model_id: "",
        source_run_id: "",
        untracked_data_paths: [],
        waiver: null,
        updated_at: expect.stringMatching(/^20\d\d-.*Z$/),
      },
    });
    expect(await submitter("POST", "/api/v1/models/register", body)).toMatchObject({
      status: 409,
      json: { code: "already_exists", reason: "MODEL_VERSION_EXISTS" },
    });
  });

  it("moves a version, but not to production without gates", async () => {
    const refused = await curl(
      under.url,
      under.fleet.tokens.approver,
      "PUT",
      stagePath("imported", "1.0.0"),
      { stage: "production" },
    );
    expect(refused).toEqual({
      status: 409,
      json: {
        code: "failed_precondition",
        reason: "GATE_MISSING",
        message: expect.stringContaining("imported 1.0.0 cannot become champion: it has not been evaluated"),
        violations: [],
      },
    });
    const archived = await submitter("PUT", stagePath("imported", "1.0.0"), { stage: "archived" });
    expect(archived).toMatchObject({ status: 200, json: { version: "1.0.0", stage: "archived" } });
    expect(await submitter("PUT", stagePath("imported", "1.0.0"), { stage: "live" })).toMatchObject({
      status: 400,
      json: {
        code: "invalid_argument",
        reason: "STAGE_UNKNOWN",
        violations: [{ field: "stage", description: expect.stringContaining("staging, canary, champion") }],
      },
    });
  });

  it("does what the interface's README says", async () => {
    const readme = readFileSync(join(checkoutRoot, "examples/clients/rest/README.md"), "utf8");
    const commands = [...readme.matchAll(/```sh\n(.*?)```/gs)].map(([, text = ""]) => text.trim());
    const env = { TRAINYARD_URL: under.url, TRAINYARD_TOKEN: under.fleet.tokens.submitter };
    const [register = "", archive = ""] = commands.filter((text) => text.includes("models/"));
    // The test above has used the version.
    const run = (command: string) =>
      finished("sh", ["-euc", command.replaceAll("imported", "from-readme")], { env });
    expect(JSON.parse((await run(register)).stdout)).toMatchObject({
      model: "from-readme",
      stage: "staging",
    });
    expect(JSON.parse((await run(archive)).stdout)).toMatchObject({ version: "1.0.0", stage: "archived" });
  });
});

describe("a promotion", () => {
  it("is printed once by the NATS example as it happens, and curl sees the run and the champion", async () => {
    await flow.prepare();
    const { runId } = await flow.submit();
    await flow.trained();
    const version = await flow.evaluated();
    await waitFor("the run's record", async () => {
      const { run } = await flow.user.tracking.getRun({ runId });
      return run?.status === tracking.RunStatus.COMPLETED;
    });

    const { submitter, approver } = under.fleet.tokens;
    const run = await curl(under.url, submitter, "GET", `/api/v1/experiments/digits/runs/${runId}`);
    expect(run).toMatchObject({
      status: 200,
      json: {
        id: runId,
        experiment: "digits",
        status: "completed",
        params: { lr: 0.1, epochs: 1 },
        dataset: { name: "digits", version: "1.0.0" },
        metrics: { loss: { last: expect.any(Number), last_step: expect.any(Number) } },
        failure: null,
        ended_at: expect.stringMatching(/^20\d\d-/),
      },
    });
    const elsewhere = await curl(under.url, submitter, "GET", `/api/v1/experiments/other/runs/${runId}`);
    expect(elsewhere).toMatchObject({ status: 404, json: { code: "not_found", reason: "RUN_NOT_FOUND" } });

    const path = `/api/v1/models/digits/versions/${version.version}/stage`;
    const put = (token: string) => curl(under.url, token, "PUT", path, { stage: "production" });
    expect(await put(submitter)).toMatchObject({ status: 403, json: { reason: "ROLE_MISSING" } });
    expect(await put(approver)).toMatchObject({
      status: 409,
      json: { reason: "APPROVAL_MISSING", message: expect.stringContaining("trainyard approve") },
    });

    const { platform } = under.fleet;
    const subscriber = await spawnScript("on-promotion", {
      script: "examples/clients/on-promotion/main.ts",
      args: ["--url", platform.natsUrl, "--seed", platform.seedFile("subscriber")],
      env: {},
    });
    await waitFor("the subscriber", () => subscriber.output().includes("waiting"));
    await flow.approve();
    // What is so already may be asked for again, and is no news.
    expect(await put(approver)).toMatchObject({ status: 200, json: { stage: "champion" } });
    const lines = () => subscriber.output().trimEnd().split("\n").slice(1);
    await waitFor("the promotion's line", () => lines().length > 0);
    expect(await subscriber.kill("SIGTERM")).toBe(0);
    expect(lines()).toEqual([
      expect.stringMatching(/^20\S+Z {2}digits 1\.0\.0: staging → champion by user:\S+$/),
    ]);
  });
});
