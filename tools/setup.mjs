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
import { line, progress, SetupError, seconds } from "./setup/progress.mjs";
import { isDone, markDone, markUndone } from "./setup/stamps.mjs";
import { steps } from "./setup/steps.mjs";

const missingSteps = (tests) =>
  steps.filter(
    (step) =>
      (tests || step.testsOnly !== true) &&
      step.isNeeded() &&
      !isDone(step.name, step.inputs(), step.outputs()),
  );

async function runStep(step, out) {
  out.line(step.title);
  const begun = Date.now();
  markUndone(step.name);
  const note = await step.run(out);
  markDone(step.name, step.inputs());
  out.line(`done in ${seconds(begun)} s: ${note}`);
}

/** Runs steps side by side, each when those that it comes after are done; one that fails ends the others, and is thrown. */
async function runSteps(steps, verbose) {
  const ending = new AbortController();
  const running = new Map();
  let failure;
  for (const [index, step] of steps.entries()) {
    const label = `[${index + 1}/${steps.length}]`;
    const out = progress({ label, verbose, signal: ending.signal });
    const run = Promise.all(step.after.map((name) => running.get(name)))
      .then(() => runStep(step, out))
      .catch((error) => {
        failure ??= error;
        ending.abort();
        throw error;
      });
    running.set(step.name, run);
  }
  await Promise.allSettled(running.values());
  if (failure !== undefined) throw failure;
}

/** Runs every step that is not done and gives their names; with all done it takes some milliseconds. */
export async function setUp({ verbose = false, tests = true } = {}) {
  if (missingSteps(tests).length === 0) return [];
  return withLock(async () => {
    const missing = missingSteps(tests);
    const begun = Date.now();
    line(
      `Setting up this checkout, ${missing.length} of ${steps.length} steps. Ctrl-C is safe: the next start carries on.`,
    );
    await runSteps(missing, verbose);
    line(`Set up in ${seconds(begun)} s.\n`);
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
