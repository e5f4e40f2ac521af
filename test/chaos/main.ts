/**
 * npm run chaos -- --minutes N [--seed N] [--nodes N] [--json]
 *
 * A storm: runs jobs on several nodes while ranks, agents, services, launchers and whole nodes are killed, ranks are stopped,
 * links are cut, disks are filled and nodes are drained, at random. Exits 1 when a promise was broken. Cutting links and
 * filling disks takes root; where that is not given the rest is done, and it says what was not.
 *
 * npm run chaos -- flow [...]
 *
 * The main flow, once per process and phase: see flow-main.ts.
 *
 * npm run chaos -- telemetry [...]
 *
 * Many runs log at once while tracking and its database are killed, and every point must be there once: see telemetry/main.ts.
 */
import { parseArgs } from "node:util";
import { closeAll } from "@trainyard/testing";
import { flowChaos } from "./flow-main.ts";
import { runStorm } from "./storm/run-storm.ts";
import { telemetryMain } from "./telemetry/main.ts";

const usage = `usage: npm run chaos -- --minutes N [--seed N] [--nodes N] [--json]
       npm run chaos -- flow [--seed N] [--cells N] [--process NAME] [--phase NAME] [--deaths N] [--down MS] [--json]
       npm run chaos -- telemetry [--seed N] [--runs N] [--seconds N] [--kills N] [--json]`;

if (process.argv[2] === "telemetry") process.exit(await telemetryMain(process.argv.slice(3)));

function options() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        seed: { type: "string", default: String(Math.trunc(Math.random() * 1e9)) },
        minutes: { type: "string" },
        nodes: { type: "string", default: "3" },
        cells: { type: "string" },
        process: { type: "string" },
        phase: { type: "string" },
        deaths: { type: "string", default: "1" },
        down: { type: "string", default: "300" },
        json: { type: "boolean", default: false },
      },
    });
  } catch (error) {
    return refuse(error instanceof Error ? error.message : String(error));
  }
}

function refuse(words: string): never {
  console.error(`${words}\n${usage}`);
  process.exit(2);
}

/** A whole number that an option gives. */
function whole(name: string, text: string): number {
  return /^\d+$/.test(text)
    ? Number(text)
    : refuse(`--${name} is ${JSON.stringify(text)}; expected a whole number`);
}

const { values, positionals } = options();
const say = values.json ? console.error : console.log;
const seed = whole("seed", values.seed);

async function storm(minutes: number): Promise<boolean> {
  say(`seed ${seed}: ${minutes} minutes`);
  const nodes = whole("nodes", values.nodes);
  const result = await runStorm({ seed, forMs: minutes * 60_000, nodes, jobSeconds: 10, say });
  const { output, ...rest } = result;
  if (output !== undefined) say(output);
  if (values.json) console.log(JSON.stringify({ seed, ...rest }));
  else {
    const struck = Object.entries(result.struck).map(([name, times]) => `${name} ${times} times`);
    say(`${result.jobs} jobs in ${result.attempts} attempts; ${struck.join(", ")}`);
    say(`the slowest answer took ${result.slowestAnswerSeconds.toFixed(1)} s`);
    for (const words of result.missing) say(`not done here: ${words}`);
    for (const words of result.broken) say(`BROKEN: ${words}`);
    say(`${result.broken.length === 0 ? "every promise holds" : "broken"} (${result.seconds.toFixed(0)} s)`);
  }
  return result.broken.length === 0;
}

async function chosen(): Promise<boolean> {
  if (positionals.length === 1 && positionals[0] === "flow") {
    return flowChaos({
      seed,
      deaths: whole("deaths", values.deaths),
      downMs: whole("down", values.down),
      cells: values.cells === undefined ? undefined : whole("cells", values.cells),
      process: values.process,
      phase: values.phase,
      json: values.json,
    });
  }
  const minutes = Number(values.minutes);
  if (positionals.length > 0 || !(minutes > 0)) return refuse("nothing to do");
  return storm(minutes);
}

for (const signal of ["SIGINT", "SIGTERM"] as const)
  process.once(signal, () => void closeAll().finally(() => process.exit(130)));
const holds = await chosen();
await closeAll();
process.exit(holds ? 0 : 1);
