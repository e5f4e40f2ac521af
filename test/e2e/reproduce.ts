import { cpSync } from "node:fs";
import { join } from "node:path";
import { trainyard } from "../../cli/testing/command-line.ts";
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

/** Trains a small model on two ranks by the command line, and reproduces it by the command line. */
export async function trainAndReproduce(
  fleet: Fleet,
  dir: string,
  params: readonly string[],
): Promise<{ readonly code: number | null; readonly report: Reproduction }> {
  const code = join(dir, "repeatable");
  cpSync(join(import.meta.dirname, "../flow/scripts/repeatable.py"), join(code, "repeatable.py"));
  const env = { TRAINYARD_URL: fleet.platform.url("gateway"), TRAINYARD_TOKEN: fleet.tokens.submitter };
  const run = async (...args: string[]) => {
    const ended = await trainyard(args, { cwd: code, env });
    if (ended.stdout === "") throw new Error(`${args.join(" ")}: ${ended.stderr}`);
    return ended;
  };
  const sets = params.flatMap((param) => ["--set", param]);
  const first = await run("run", "--ranks", "2", "--seed", "5", ...sets, "--", "repeatable.py");
  const runId = /run_[0-9a-z]{26}/.exec(first.stdout)?.[0] ?? "";
  const again = await run("reproduce", runId, "--wait", "--json");
  return { code: again.code, report: JSON.parse(again.stdout) as Reproduction };
}
