import type { AddCommands } from "../command.ts";
import type { ReproduceFlags } from "../reproduce/reproduce-command.ts";
import type { Session } from "../session.ts";

/** `reproduce`. */
export const addReproduceCommands: AddCommands = (program, action) => {
  program
    .command("reproduce")
    .argument("<run>", "the run's or its job's id")
    .description("submit what a run did again, and compare the weights that come out, by digest")
    .option("--wait", "follow it to its end, then compare")
    .option("--against <run>", "submit nothing: compare with this run, which did the same")
    .option("--request-id <id>", "repeat the submission safely")
    .addHelpText(
      "after",
      `
The same code bundle, parameters, environment, dataset version, seed, number of ranks and start are submitted; nothing of the
folder you are in. Compared are the files of the newest checkpoint that both have, and of the models they logged. The new job
registers no model version; its label trainyard.reproduces names the run.

With --json: {original, reproduction: {runId, jobId}, verdict, reason, step, files: [{of, rank, path, digests, identical,
decides}], environment: [{name, values}]}; verdict is "submitted", "identical", "differs", "not-comparable" or "failed".

Exit codes: 0 identical (or submitted) · 6 the weights differ · 1 it failed, or nothing was saved that could be compared

Examples:
  $ npx trainyard reproduce RUN --wait
  $ npx trainyard reproduce RUN --against RUN_2 --json | jq -r '.files[] | select(.identical | not).path'`,
    )
    .action(
      action(async (session: Session, id: string, flags: ReproduceFlags) =>
        (await import("../reproduce/reproduce-command.ts")).reproduce(session, id, flags),
      ),
    );
};
