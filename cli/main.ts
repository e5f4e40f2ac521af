/** The `trainyard` command. `bin/trainyard.mjs` starts it under the checkout's Node 24. */
import { runCommandLine } from "./run-command-line.ts";

await runCommandLine(process.argv.slice(2));
