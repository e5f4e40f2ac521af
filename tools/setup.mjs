#!/usr/bin/env node
// Puts everything in place that the checkout's commands need. Plain JavaScript without dependencies for Node >= 20:
// it runs before anything is installed. Every entry command calls it; when all is in place it only compares stamps.
//
//   node tools/setup.mjs [--verbose]
//
// Nothing is written outside the checkout but package managers' caches. Ctrl-C at any moment is safe: a step counts as
// done only when its stamp (.cache/setup/<step>) holds the hash of what it was to install.
import { realpathSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { withLock } from "./setup/lock.mjs";
import { progress, SetupError } from "./setup/progress.mjs";
import { isDone, markDone, markUndone } from "./setup/stamps.mjs";
import { steps } from "./setup/steps.mjs";

const missingSteps = (tests) =>
  steps.filter(
    (step) =>
      (tests || step.testsOnly !== true) &&
      step.isNeeded() &&
      !isDone(step.name, step.inputs(), step.outputs()),
  );

const seconds = (since) => ((Date.now() - since) / 1000).toFixed(1);

async function runStep(step, label, out) {
  out.line(`${label} ${step.title}`);
  const begun = Date.now();
  markUndone(step.name);
  const note = await step.run(out);
  markDone(step.name, step.inputs());
  out.line(`      done in ${seconds(begun)} s: ${note}`);
}

/** Runs every step that is not done and gives their names; with all done it takes some milliseconds. */
export async function setUp({ verbose = false, tests = true } = {}) {
  if (missingSteps(tests).length === 0) return [];
  const out = progress(verbose);
  return withLock(out, async () => {
    const missing = missingSteps(tests);
    const begun = Date.now();
    out.line(
      `Setting up this checkout, ${missing.length} of ${steps.length} steps. Ctrl-C is safe: the next start carries on.`,
    );
    for (const [index, step] of missing.entries())
      await runStep(step, `[${index + 1}/${missing.length}]`, out);
    out.line(`Set up in ${seconds(begun)} s.\n`);
    return missing.map((step) => step.name);
  });
}

/** Set-up for a command line: what went wrong is told without a stack trace, and ends the process. */
export async function setUpOrExit(options) {
  try {
    return await setUp(options);
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    process.stderr.write(`\nSet-up ${error.interrupted ? "" : "failed: "}${error.message}\n`);
    process.exit(error.interrupted ? 130 : 1);
  }
}

if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const ran = await setUpOrExit({ verbose: process.argv.includes("--verbose") });
  if (ran.length === 0) process.stderr.write("Everything is in place.\n");
}
