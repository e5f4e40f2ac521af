/**
 * `npm test`: every check of the project, in two rows side by side; all run even after one has failed.
 *
 *   npm test                    everything
 *   npm test -- lint unit       only those
 *   npm test -- --list          what there is
 */

import { checks } from "./checks.ts";
import { chooseChecks, UnknownCheckError } from "./choose-checks.ts";
import { runChecks } from "./run-checks.ts";

/** For what hangs: beyond this, what still runs is ended and counts as failed. Two cores need 11 to 15 minutes, set-up included, by their pace. */
const timeLimitMs = 19 * 60_000;

const words = process.argv.slice(2);
const all = checks();
if (words.includes("--list")) {
  for (const { name, title } of all) console.log(`${name.padEnd(14)} ${title}`);
} else {
  try {
    const counts = await runChecks(chooseChecks(all, words), {
      signal: AbortSignal.timeout(timeLimitMs),
      print: (line) => console.log(line),
    });
    process.exitCode = counts.failed === 0 ? 0 : 1;
  } catch (error) {
    if (!(error instanceof UnknownCheckError)) throw error;
    console.error(error.message);
    process.exitCode = 2;
  }
}
