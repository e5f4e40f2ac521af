/**
 * npm run mlflow-parity [-- --json]   MLflow's client against MLflow's own server and against this platform: every public
 * method of MlflowClient, errors included. Exits 1 when they differ where nobody decided that they shall.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { refusals } from "../../services/gateway/mlflow/domain/refusals.ts";
import { startUp } from "../start-up.ts";
import { compareSeen, isParity, type ParityReport } from "./compare-seen.ts";
import { deliberate } from "./deliberate.ts";
import { startMlflowServer } from "./mlflow-server.ts";
import { seeServer } from "./see-server.ts";

const { values } = parseArgs({ options: { json: { type: "boolean", default: false } } });
const dir = mkdtempSync(join(tmpdir(), "trainyard-mlflow-parity-"));
try {
  await mkdir(join(dir, "mlflow"));
  console.error("starting MLflow's server and a platform");
  const [server, platform] = await Promise.all([
    startMlflowServer(join(dir, "mlflow")),
    startUp(join(dir, "platform"), ["--ports", "free"], { TRAINYARD_LAUNCHER: "off" }),
  ]);
  try {
    console.error("the client's every method, on both");
    const [theirs, ours] = await Promise.all([
      seeServer(server.url, "", dir, "theirs"),
      seeServer(platform.url, platform.tokens.submitter, dir, "ours"),
    ]);
    const report = compareSeen(theirs, ours, refusals, deliberate);
    console.log(values.json ? JSON.stringify(report) : text(report));
    process.exitCode = isParity(report) ? 0 : 1;
  } finally {
    await Promise.all([server.stop(), platform.stop()]);
  }
} finally {
  rmSync(dir, { recursive: true, force: true });
}

function text({ version, methods, steps, differences, ...rest }: ParityReport): string {
  const lists = Object.entries(rest).filter(([, names]) => names.length > 0);
  return [
    `MLflow ${version}: ${methods.total} methods of MlflowClient, ${methods.same} the same, ${methods.refused} refused as documented`,
    `${steps.total} steps, ${steps.same} the same, ${steps.deliberate} different on purpose`,
    ...differences.map(({ scenario, step, mlflow, trainyard }) =>
      [
        `DIFFERENT ${scenario}: ${step}`,
        `  mlflow    ${JSON.stringify(mlflow)}`,
        `  trainyard ${JSON.stringify(trainyard)}`,
      ].join("\n"),
    ),
    ...lists.map(([name, names]) => `${name}: ${names.join(", ")}`),
  ].join("\n");
}
