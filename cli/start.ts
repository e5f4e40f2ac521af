/** What `main.ts` runs, bundled or not: the command, with the arguments of this process. */
import { runCommandLine } from "./run-command-line.ts";

await runCommandLine(process.argv.slice(2));
