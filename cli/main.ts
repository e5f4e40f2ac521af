/** The `trainyard` command. `bin/trainyard.mjs` starts it under the checkout's Node 24. */
import { bundleOf } from "@trainyard/bundle";

await import(bundleOf("cli/start.ts") ?? "./start.ts");
