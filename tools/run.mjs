#!/usr/bin/env node
// Runs a TypeScript entry point of the checkout: sets up what is missing, then starts the checkout's own Node 24 on it.
//
//   node tools/run.mjs SCRIPT [ARGUMENT...]
//
// Set-up speaks on stderr only, so what the script prints on stdout stays pure. The exit code is the script's.
import { spawn } from "node:child_process";
import { delimiter } from "node:path";
import { inCheckout } from "./setup/stamps.mjs";
import { setUpOrExit } from "./setup.mjs";

const [script, ...args] = process.argv.slice(2);
if (script === undefined) {
  process.stderr.write("usage: node tools/run.mjs SCRIPT [ARGUMENT...]\n");
  process.exit(2);
}

await setUpOrExit({ verbose: false, tests: script === "tools/check/main.ts" });

const child = spawn(inCheckout("node_modules/.bin/node"), [inCheckout(script), ...args], {
  stdio: "inherit",
  env: {
    ...process.env,
    PATH: `${inCheckout("node_modules/.bin")}${delimiter}${process.env.PATH ?? ""}`,
    NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE ?? inCheckout(".cache/compile"),
  },
});

// A terminal sends Ctrl-C to the whole group, so the child has it already: only stay alive until it has ended. Signals
// sent to this process alone (a supervisor's SIGTERM) are passed on.
process.on("SIGINT", () => {
  if (!process.stdin.isTTY) child.kill("SIGINT");
});
for (const signal of ["SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));

child.on("error", (error) => {
  process.stderr.write(`cannot start node_modules/.bin/node: ${error.message}; run \`npm run setup\`\n`);
  process.exit(1);
});
child.on("exit", (code, signal) => {
  if (signal === null) process.exit(code ?? 1);
  // Ended by a signal: end the same way, as a shell expects.
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"]) process.removeAllListeners(name);
  process.kill(process.pid, signal);
});
