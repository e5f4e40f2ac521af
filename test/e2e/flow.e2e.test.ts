import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { registry, scheduler, tracking } from "@trainyard/contracts";
import { waitFor } from "@trainyard/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { phaseReached } from "../chaos/phase-reached.ts";
import { flowClients } from "../flow/clients.ts";
import { type Fleet, processNames, startFleet } from "../flow/fleet.ts";
import { digitsFlow } from "../flow/flow.ts";
import { brokenPromises } from "../flow/invariants.ts";
import { killedTraining, recoveryJob, trainedDigest } from "../flow/recovery.ts";
import { otlpReceiver, type ReceivedSpan } from "./otlp-receiver.ts";
import { moveAndCompare, trainAndReproduce } from "./reproduce.ts";
import { trainedFrom } from "./start-from.ts";

let dir: string;
let fleet: Fleet;
let receiver: Awaited<ReturnType<typeof otlpReceiver>>;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), "trainyard-e2e-"));
  receiver = await otlpReceiver();
  const otlp = { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url };
  const env = Object.fromEntries(processNames.map((name) => [name, otlp]));
  // A cold start, of which others have enough, costs seconds a rank.
  fleet = await startFleet({ dir, env: { ...env, agent: { ...otlp, TRAINYARD_LAUNCHER: "warm" } } });
});

afterAll(async () => {
  await fleet.stop();
  await receiver.close();
  rmSync(dir, { recursive: true, force: true });
});

describe("the main flow", () => {
  it("goes from a submitted job to a champion in one trace, though a rank is killed on the way", async () => {
    // Slow enough that after the first commit there is time to kill a rank.
    const flow = digitsFlow(fleet, dir, { epochs: 3, stepDelayMs: 200, checkpointEverySteps: 15 });
    await flow.prepare();
    const job = await flow.submit();
    await phaseReached("commit", fleet, flow);
    await killRank(1, fleet, job.id);
    const ended = await flow.trained();
    expect(ended.state).toBe(scheduler.JobState.SUCCEEDED);
    expect(ended.attempts).toHaveLength(2);
    expect(ended.attempts[0]?.failure).toMatchObject({
      class: scheduler.FailureClass.INFRA,
      rank: 1,
      signal: 9,
    });
    expect(Number(ended.attempts[1]?.resumedFromStep)).toBeGreaterThan(0);

    const version = await flow.evaluated();
    expect(version).toMatchObject({ stage: registry.Stage.STAGING, gate: { passed: true } });
    const champion = await flow.approve();
    expect(champion).toMatchObject({
      stage: registry.Stage.CHAMPION,
      promotedBy: expect.stringMatching(/^user:/),
    });
    expect(await brokenPromises(fleet, flow)).toEqual([]);

    const traceId = job.traceparent.split("-")[1];
    const wanted = [
      "schedule",
      "attempt",
      "rank start",
      "first step",
      "checkpoint",
      "evaluation",
      "promotion",
    ];
    const spans = await waitFor("every span of the trace", () => {
      const own = receiver.spans.filter((span) => span.traceId === traceId);
      const names = new Set(own.map(({ name }) => name));
      const missing = wanted.filter((name) => !names.has(name));
      if (missing.length > 0)
        throw new Error(`missing: ${missing.join(", ")}; there are: ${[...names].join(", ")}`);
      return own;
    });
    const byId = new Map(spans.map((span) => [span.spanId, span]));
    const submit = spans.find(({ name }) => name.endsWith("SchedulerService/SubmitJob"));
    expect(submit).toBeDefined();
    // Every span hangs together with the submit, directly or through others.
    for (const name of wanted) {
      for (const span of spans.filter((one) => one.name === name)) {
        expect(ancestors(span, byId), name).toContain(rootOf(submit, byId)?.spanId);
      }
    }
    // What happens in the ranks belongs to their attempt.
    for (const name of ["rank start", "first step"]) {
      for (const span of spans.filter((one) => one.name === name)) {
        expect(byId.get(span.parentSpanId)?.name).toBe("attempt");
      }
    }
  });
});

describe("a training whose rank is killed", () => {
  it("loses no step, tells each point once, and ends with the weights of an unbroken one", async () => {
    const user = flowClients(fleet.platform.url("gateway"), fleet.tokens.submitter);
    const steps = 120;
    const spec = await recoveryJob(user, { stepDelayMs: 10, steps });
    const unbroken = await trainedDigest(user, spec);
    const kill = { rank: 0, atStep: 40, delayMs: 5 };
    const killed = await killedTraining(user, spec, fleet.platform.dir, kill);
    expect(killed).toMatchObject({ stepsLost: 0, digest: unbroken });
    const { run } = killed;
    expect(run.recovery?.mode).toBe(tracking.RecoveryMode.JUST_IN_TIME);
    const resumedAt = killed.job.attempts[1]?.resumedFromStep;
    expect(run.attempts[0]?.handover).toMatchObject({ saved: true, step: resumedAt });
    const { checkpoints } = await user.tracking.listCheckpoints({ runId: run.id });
    expect(checkpoints.map(({ kind, step }) => ({ kind, step }))).toEqual([
      { kind: tracking.CheckpointKind.JUST_IN_TIME, step: resumedAt },
    ]);
    const { points } = await user.tracking.getMetricHistory({ runId: run.id, keys: ["loss"] });
    const stepsOf = (rank: number) =>
      points.filter((one) => one.rank === rank).map(({ step }) => Number(step));
    const all = Array.from({ length: steps }, (_, index) => index + 1);
    expect(stepsOf(1)).toEqual(all);
    // A rank that is killed between a step and what it says of it has never said it.
    const missing = all.filter((step) => !stepsOf(0).includes(step));
    expect(stepsOf(0)).toEqual(all.filter((step) => !missing.includes(step)));
    expect([[], [Number(resumedAt)]]).toContainEqual(missing);

    // Another run starts from its checkpoint: it goes on at that step, with those weights.
    const from = `${run.id}@${resumedAt}`;
    const started = await trainedFrom(fleet, dir, from, { seed: spec.seed, steps });
    expect(started.job.spec?.startFrom).toMatchObject({
      runId: run.id,
      step: resumedAt,
      checkpointId: checkpoints[0]?.id,
    });
    expect(started.job.attempts.map(({ resumedFromStep }) => resumedFromStep)).toEqual([resumedAt]);
    expect(started.digest).toBe(unbroken);
    expect(started.steps).toEqual(all.filter((step) => step > Number(resumedAt)));
    expect(started.shown).toContain(from);
  });
});

describe("a training that is reproduced", () => {
  it("has the same weights to the bit", async () => {
    const { code, report } = await trainAndReproduce(fleet, dir, []);
    expect(report).toMatchObject({ verdict: "identical", step: 12, environment: [] });
    expect(report.files.filter(({ decides }) => decides).map(({ path }) => path)).toEqual([
      "model.pt",
      "optimizer.pt",
    ]);
    expect(report.files.every(({ identical }) => identical)).toBe(true);
    expect(report.reproduction.runId).not.toBe(report.original.runId);
    expect(code).toBe(0);

    // Taken elsewhere, the run still tells where it came from, and has the same points.
    const moved = await moveAndCompare(fleet, dir, report.original.runId);
    expect(moved.lineage.filter(({ differs }) => differs)).toEqual([]);
    expect(moved.lineage.map(({ name }) => name)).toEqual(expect.arrayContaining(["code", "seed", "ranks"]));
    // Of what the node measured, the ranks' points are told apart by rank only, which an import does not keep.
    const logged = moved.metrics.filter(({ key }) => !key.startsWith("trainyard/"));
    expect(logged.length).toBeGreaterThan(0);
    expect(logged.filter(({ differs }) => differs)).toEqual([]);
    const environment = moved.environment.map(({ name }) => name);
    expect(environment).toEqual(expect.arrayContaining(["packages.torch", "reproducibility.seed"]));
    expect(moved.environment.filter(({ differs }) => differs)).toEqual([]);
  });

  it("is told to differ, and in which files, where the script draws what nobody can repeat", async () => {
    const { code, report } = await trainAndReproduce(fleet, dir, ["noise=true"]);
    expect(report).toMatchObject({ verdict: "differs", step: 12 });
    expect(report.files.filter(({ identical }) => !identical).map(({ path }) => path)).toEqual([
      "model.pt",
      "optimizer.pt",
    ]);
    expect(code).toBe(6);
  });
});

async function killRank(rank: number, of: Fleet, jobId: string): Promise<void> {
  const { readFile } = await import("node:fs/promises");
  const started = join(of.agentDir, "attempts", `${jobId}-1`, `rank-${rank}`, "started.json");
  const { pid } = JSON.parse(await readFile(started, "utf8")) as { readonly pid: number };
  process.kill(pid, "SIGKILL");
}

function ancestors(span: ReceivedSpan, byId: ReadonlyMap<string, ReceivedSpan>): readonly string[] {
  const found: string[] = [];
  for (let at = byId.get(span.parentSpanId); at !== undefined; at = byId.get(at.parentSpanId))
    found.push(at.spanId);
  return found;
}

function rootOf(
  span: ReceivedSpan | undefined,
  byId: ReadonlyMap<string, ReceivedSpan>,
): ReceivedSpan | undefined {
  const parent = span === undefined ? undefined : byId.get(span.parentSpanId);
  return parent === undefined ? span : rootOf(parent, byId);
}
