import { parseArgs } from "node:util";
import { runLoad } from "./run-load.ts";

const usage = "usage: npm run chaos -- telemetry [--seed N] [--runs N] [--seconds N] [--kills N] [--json]";

/** `npm run chaos -- telemetry`; returns the exit code: 1 when a point was lost or doubled. */
export async function telemetryMain(args: readonly string[]): Promise<number> {
  const options = parsed(args);
  if (options === undefined) {
    console.error(usage);
    return 2;
  }
  const { json, ...load } = options;
  const say = json ? console.error : console.log;
  say(`seed ${load.seed}`);
  const result = await runLoad({ ...load, say });
  if (json) console.log(JSON.stringify({ ...load, ...result }));
  else {
    for (const line of result.broken) console.log(`BROKEN: ${line}`);
    const verdict = result.broken.length === 0 ? "none lost, none doubled" : "not as they were logged";
    console.log(`${result.points} points of ${load.runs} runs: ${verdict} (${result.seconds.toFixed(0)} s)`);
  }
  return result.broken.length === 0 ? 0 : 1;
}

function parsed(args: readonly string[]) {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        seed: { type: "string", default: String(Math.trunc(Math.random() * 1e9)) },
        runs: { type: "string", default: "200" },
        seconds: { type: "string", default: "60" },
        kills: { type: "string", default: "9" },
        json: { type: "boolean", default: false },
      },
    });
    const { json, ...texts } = values;
    if (!Object.values(texts).every((text) => /^\d+$/.test(text))) return undefined;
    const { seed, runs, seconds, kills } = texts;
    return { seed: Number(seed), runs: Number(runs), seconds: Number(seconds), kills: Number(kills), json };
  } catch {
    return undefined;
  }
}
