import { execFile } from "node:child_process";
import { copyFileSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { checkoutRoot } from "@trainyard/local";
import { type TestS3, tempDir, testS3 } from "@trainyard/testing";
import { beforeAll, describe, expect, it } from "vitest";
import { startUp, trainyard } from "../../cli/testing/command-line.ts";
import { mlflowBin } from "./mlflow-server.ts";

const run = promisify(execFile);
const folder = join(checkoutRoot, "tools/mlflow/client");
const data = tempDir("mlflow-client");
const code = tempDir("mlflow-job");

const command = (...args: readonly string[]) => trainyard(args, { cwd: code, env: { TRAINYARD_DATA: data } });

/** As a shell has it after eval "$(trainyard env)". */
let env: Readonly<Record<string, string>>;

/** Where the platform keeps files, those that come in parts too. */
let s3: TestS3;

beforeAll(async () => {
  s3 = await testS3();
  await startUp(data, ["--blobs", s3.url("mlflow")], s3.env);
  env = JSON.parse((await command("env", "--json")).stdout);
});

describe("MLflow's own client", () => {
  it("does here what people do with it, and logs into its job's run from ranks that know nothing of the platform", async () => {
    copyFileSync(join(folder, "in_a_rank.py"), join(code, "in_a_rank.py"));
    const job = {
      name: "mlflow-in-ranks",
      framework: "process",
      ranks: 2,
      entrypoint: ["in_a_rank.py"],
      python: { interpreter: mlflowBin("python") },
    };
    // Any JSON is YAML.
    writeFileSync(join(code, "job.yaml"), JSON.stringify(job));
    const [flows, ranks] = await Promise.all([
      run(mlflowBin("python"), [join(folder, "run.py")], {
        cwd: tempDir("mlflow-flows"),
        env: { PATH: process.env.PATH ?? "", HOME: tempDir("mlflow-home"), ...env },
        maxBuffer: 16 * 1024 * 1024,
      }).catch((error: unknown) => Promise.reject(new Error(String(Reflect.get(Object(error), "stdout"))))),
      command("submit", "job.yaml", "--follow"),
    ]);
    expect(flows.stdout).not.toContain("FAILED");
    expect(flows.stdout.match(/^ok /gm)).toHaveLength(16);
    // The large file of the flows came in parts and is one object, as long as nobody has swept it.
    const objects = readdirSync(join(s3.folder, "mlflow"), { recursive: true, withFileTypes: true });
    const sizes = objects
      .filter((entry) => entry.isFile())
      .map(({ parentPath, name }) => statSync(join(parentPath, name)).size);
    expect(sizes).toContain(12 * 1024 * 1024 + 5);
    expect(ranks).toMatchObject({ code: 0 });
    const runId = /run_\w+/.exec(ranks.stdout)?.[0] ?? "";
    const seen = (await mlflow("runs/get", { run_id: runId })) as Seen;
    expect(seen.run.info).toMatchObject({ status: "FINISHED", run_id: runId });
    const metrics = Object.fromEntries(seen.run.data.metrics.map(({ key, value }) => [key, value]));
    expect(metrics).toMatchObject({ "rank0/loss": 1 / 3, "rank1/loss": 1 / 3 });
    expect(seen.run.data.params).toEqual(
      expect.arrayContaining([
        { key: "rank0", value: "here" },
        { key: "rank1", value: "here" },
      ]),
    );
    expect(seen.run.outputs.model_outputs).toHaveLength(1);
    const { stdout } = await command("logs", runId);
    expect(stdout).toContain(`logged into ${runId}`);
    expect(stdout).toContain("another run: PERMISSION_DENIED");
  });
});

interface Seen {
  readonly run: {
    readonly info: unknown;
    readonly data: Readonly<
      Record<"metrics" | "params", readonly { readonly key: string; readonly value: unknown }[]>
    >;
    readonly outputs: { readonly model_outputs: readonly unknown[] };
  };
}

async function mlflow(path: string, query: Readonly<Record<string, string>>): Promise<unknown> {
  const url = `${env.MLFLOW_TRACKING_URI}/api/2.0/mlflow/${path}?${new URLSearchParams(query)}`;
  const response = await fetch(url, { headers: { authorization: `Bearer ${env.MLFLOW_TRACKING_TOKEN}` } });
  return await response.json();
}
