#!/usr/bin/env node
// The `trainyard` command, for any Node from 20 on: sets up what is missing, then runs cli/main.ts under the checkout's
// Node 24. A Node that can run the sources itself does so in this process, which saves one start.
import { enableCompileCache } from "node:module";
import { inCheckout } from "../../tools/setup/stamps.mjs";

const [major] = process.versions.node.split(".").map(Number);
if (major >= 24) {
  const { setUpOrExit } = await import("../../tools/setup.mjs");
  await setUpOrExit({ verbose: false, tests: false });
  enableCompileCache(process.env.NODE_COMPILE_CACHE ?? inCheckout(".cache/compile"));
  await import("../main.ts");
} else {
  process.argv.splice(2, 0, "cli/main.ts");
  await import("../../tools/run.mjs");
}
