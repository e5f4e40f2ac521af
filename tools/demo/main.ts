/**
 * npm run demo [-- --json] [-- --data DIR]
 *
 * From a data file to a champion model on a real platform: registers data, trains on two ranks, kills one of them, carries
 * on, evaluates, approves, promotes. With --json only a summary is printed on stdout.
 */
import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { timestampDate } from "@bufbuild/protobuf/wkt";
import { type evaluation, registry, scheduler } from "@trainyard/contracts";
import { checkoutRoot } from "@trainyard/local";
import { describeFailure } from "@trainyard/service";
import { flowClients } from "@trainyard/test/flow/clients.ts";
import { bundle, digitsDir } from "@trainyard/test/flow/digits.ts";
import { waitFor } from "@trainyard/testing";
import { jobSpec } from "../../cli/job-file/job-spec.ts";
import { readJobFile } from "../../cli/job-file/read-job-file.ts";
import { registerData } from "./data.ts";
import { followAndKill } from "./follow.ts";
import { findOrStartPlatform } from "./platform.ts";
import { screen } from "./screen.ts";
import { Timeline } from "./timeline.ts";

const { values } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    data: { type: "string", default: join(checkoutRoot, ".trainyard") },
  },
});
const out = screen(values.json);
const startedAt = performance.now();

async function demo(): Promise<object> {
  out.line(
    "Trainyard, from a data file to a champion model. Everything below is real: services, bus, database, PyTorch ranks.",
  );
  out.chapter("The platform");
  const platform = await findOrStartPlatform(values.data, out);
  try {
    const user = flowClients(platform.url, platform.tokens.submitter);
    const approver = flowClients(platform.url, platform.tokens.approver);
    const data = await registerData(user, out);

    const suiteYaml = await readFile(join(digitsDir, "suite.yaml"), "utf8");
    await user.evaluation.applySuite({ requestId: randomUUID(), suiteYaml });
    out.good("evaluation suite digits: the gates a model has to pass");

    out.chapter("Training: two PyTorch ranks (DDP over Gloo) on two slots; one of them will be killed");
    out.command("trainyard submit examples/digits/job.yaml --follow");
    const { job: file, source } = await readJobFile(join(digitsDir, "job.yaml"));
    const code = await bundle(digitsDir, ["train.py"]);
    const digest = await user.upload(code);
    const spec = jobSpec(file, { digest, sizeBytes: code.length }, source);
    const { job: accepted } = await user.scheduler.submitJob({ requestId: randomUUID(), spec });
    if (accepted === undefined) throw new Error("the accepted job is missing in the answer");
    out.good(`${accepted.id} accepted, run ${accepted.runId}`);
    const { job, kill, checkpoints } = await followAndKill(user, accepted, platform.agentDirs, out);
    if (job.state !== scheduler.JobState.SUCCEEDED) {
      throw new Error(
        `the job did not succeed: ${job.failure?.message}\n${job.failure?.tracebackTail ?? ""}`,
      );
    }
    out.good(`trained in ${job.attempts.length} attempts`);

    out.chapter("Evaluation: a job of its own on the test split");
    const version = await waitFor(
      "the evaluation",
      async () => {
        const { modelVersions } = await user.registry.listModelVersions({ runId: job.runId });
        const found = modelVersions[0];
        if (found !== undefined)
          out.status(`model version ${found.version} is in staging; its evaluation runs`);
        return found?.gate === undefined ? undefined : found;
      },
      { timeoutMs: 120_000, intervalMs: 100 },
    );
    const { evaluation: measured } = await user.evaluation.getEvaluation({
      evaluationId: version.gate?.evaluationId ?? "",
    });
    out.good(`the run became version ${version.version} of model digits, in staging`);
    tellReport(measured);
    if (version.gate?.passed !== true)
      throw new Error(`the gates failed: ${version.gate?.messages.join("; ")}`);

    out.chapter("Approval: by someone who did not submit it");
    const subscriber = await subscribe(platform.natsUrl, platform.subscriberSeed);
    out.command(`trainyard approve digits ${version.version} --as approver`);
    const approval = {
      requestId: randomUUID(),
      model: "digits",
      version: version.id,
      comment: "accuracy is good on every class",
    };
    const { modelVersion: champion } = await approver.registry.approveModelVersion(approval);
    if (champion?.stage !== registry.Stage.CHAMPION) throw new Error("the version did not become champion");
    out.good(`digits ${champion.version} is champion, promoted by ${champion.promotedBy}`);
    out.good(`a plain NATS subscriber got the event: ${await subscriber.line}`);
    await subscriber.ended;

    const timeline = new Timeline();
    const at = (time: Parameters<typeof timestampDate>[0] | undefined) =>
      time === undefined ? undefined : timestampDate(time);
    timeline.add("submitted", at(job.createdAt));
    for (const attempt of job.attempts) {
      const resumed = attempt.number === 1 ? "" : `, resumed from step ${attempt.resumedFromStep}`;
      timeline.add(`attempt ${attempt.number} admitted${resumed}`, at(attempt.admittedAt));
      timeline.add(`attempt ${attempt.number} ranks started`, at(attempt.ranksStartedAt));
      timeline.add(`attempt ${attempt.number} first step`, at(attempt.firstStepAt));
    }
    for (const { step, committedAt } of checkpoints)
      timeline.add(`checkpoint of step ${step}`, at(committedAt));
    timeline.add(`rank ${kill?.rank} killed at step ${kill?.atStep}`, kill?.at);
    timeline.add("trained", at(job.endedAt));
    timeline.add(`registered as digits ${version.version}`, at(version.createdAt));
    timeline.add("evaluated: gates passed", at(measured?.endedAt));
    timeline.add("promoted to champion", at(champion.promotedAt));
    const accuracy = measured?.report?.metrics.accuracy;
    const traceId = job.traceparent.split("-")[1] ?? "";

    out.chapter("What happened");
    for (const line of timeline.lines()) out.line(line);
    out.line();
    out.line(`accuracy   ${accuracy?.toFixed(4)} on the test split`);
    out.line(`model      digits ${champion.version}, sha256 ${champion.digest}`);
    out.line(`trace      ${traceId} (set OTEL_EXPORTER_OTLP_ENDPOINT to see it)`);
    out.line(`took       ${((performance.now() - startedAt) / 1000).toFixed(1)} s`);
    out.line();
    out.line("What to try next:");
    out.command("npm start                         the platform stays up; everything above is still there");
    out.command(`npx trainyard status ${job.id}`);
    out.command(`npx trainyard metrics ${job.runId}`);
    out.command("npx trainyard models history digits");
    out.command("npx trainyard init my-project     a commented job file of your own");

    return {
      job: job.id,
      run: job.runId,
      attempts: job.attempts.length,
      dataset: data,
      killed: kill === undefined ? null : { rank: kill.rank, step: kill.atStep, at: kill.at },
      resumedFromStep: Number(job.attempts.at(-1)?.resumedFromStep ?? 0n),
      accuracy,
      gates: measured?.report?.gates.map(({ message, passed }) => ({ message, passed })),
      model: {
        name: "digits",
        version: champion.version,
        digest: champion.digest,
        stage: "champion",
        promotedBy: champion.promotedBy,
      },
      traceId,
      timeline: timeline.moments,
      seconds: Number(((performance.now() - startedAt) / 1000).toFixed(2)),
    };
  } finally {
    await platform.stop();
  }
}

function tellReport(measured: evaluation.Evaluation | undefined): void {
  const metrics = measured?.report?.metrics ?? {};
  const number = (name: string, digits: number) => metrics[name]?.toFixed(digits) ?? "?";
  out.line(
    `accuracy ${number("accuracy", 4)}, latency p50 ${number("latency_p50_ms", 2)} ms, p95 ${number("latency_p95_ms", 2)} ms, ${measured?.report?.rows} rows`,
  );
  const classes = measured?.report?.classes ?? [];
  out.dim(
    `recall by class: ${classes.map(({ label, recall }) => `${label}: ${recall.toFixed(2)}`).join("  ")}`,
  );
  for (const { passed, message } of measured?.report?.gates ?? [])
    (passed ? out.good : out.bad)(`gate: ${message}`);
}

/** Runs the example subscriber until it has seen one promotion. */
async function subscribe(url: string, seedFile: string) {
  const script = join(checkoutRoot, "examples/clients/on-promotion/main.ts");
  const child = spawn(process.execPath, [script, "--url", url, "--seed", seedFile, "--count", "1"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const ended = once(child, "exit");
  // Its first line says that it listens.
  await lines.next();
  return { line: lines.next().then(({ value }) => String(value)), ended };
}

try {
  const summary = await demo();
  if (values.json) console.log(JSON.stringify(summary, undefined, 2));
  process.exit(0);
} catch (error) {
  out.bad(describeFailure(error));
  process.exit(1);
}
