import { cpSync } from "node:fs";
import { join } from "node:path";
import { type Ended, trainyard } from "../../cli/testing/command-line.ts";
import type { Fleet } from "../flow/fleet.ts";

/** What `trainyard reproduce --json` says. */
export interface Reproduction {
  readonly original: { readonly runId: string; readonly jobId: string };
  readonly reproduction: { readonly runId: string; readonly jobId: string };
  readonly verdict: string;
  readonly step: number | null;
  readonly files: readonly {
    readonly path: string;
    readonly rank: number;
    readonly identical: boolean;
    readonly decides: boolean;
  }[];
  readonly environment: readonly { readonly name: string }[];
}

/** What is told of the two runs side by side. */
export interface Compared {
  readonly lineage: readonly {
    readonly name: string;
    readonly values: readonly unknown[];
    readonly differs: boolean;
  }[];
  readonly environment: readonly { readonly name: string; readonly differs: boolean }[];
  readonly metrics: readonly { readonly key: string; readonly differs: boolean }[];
}

/** Takes a job's run out as a bundle and in again, and compares the two. */
export async function moveAndCompare(fleet: Fleet, dir: string, runId: string): Promise<Compared> {
  const file = join(dir, `${runId}.trainyard`);
  await command(fleet, dir, "export", "bundle", runId, "-o", file, "--json");
  const { stdout } = await command(fleet, dir, "import", "bundle", file, "--json");
  const { runs } = JSON.parse(stdout) as { readonly runs: readonly { readonly runId: string }[] };
  const compared = await command(fleet, dir, "runs", "compare", runId, runs[0]?.runId ?? "", "--json");
  return JSON.parse(compared.stdout) as Compared;
}

async function command(fleet: Fleet, cwd: string, ...args: readonly string[]): Promise<Ended> {
  const env = { TRAINYARD_URL: fleet.platform.url("gateway"), TRAINYARD_TOKEN: fleet.tokens.submitter };
  const ended = await trainyard(args, { cwd, env });
  if (ended.stdout === "") throw new Error(`${args.join(" ")}: ${ended.stderr}`);
  return ended;
}

/** Trains a small model on two ranks by the command line, and reproduces it by the command line. */
export async function trainAndReproduce(
  fleet: Fleet,
  dir: string,
  params: readonly string[],
): Promise<{ readonly code: number | null; readonly report: Reproduction }> {
  const code = join(dir, "repeatable");
  cpSync(join(import.meta.dirname, "../flow/scripts/repeatable.py"), join(code, "repeatable.py"));
  const run = (...args: string[]) => command(fleet, code, ...args);
  const sets = params.flatMap((param) => ["--set", param]);
  const first = await run("run", "--ranks", "2", "--seed", "5", ...sets, "--", "repeatable.py");
  const runId = /run_[0-9a-z]{26}/.exec(first.stdout)?.[0] ?? "";
  const again = await run("reproduce", runId, "--wait", "--json");
  return { code: again.code, report: JSON.parse(again.stdout) as Reproduction };
}
