import type { AddCommands } from "../command.ts";
import { collect } from "../command.ts";
import type { CompareFlags, DiffFlags } from "../compare/compare-actions.ts";
import type { Session } from "../session.ts";

const load = () => import("../compare/compare-actions.ts");

/** `runs compare`, `runs diff`. */
export const addCompareCommands: AddCommands = (program, action) => {
  const runs = program.commands.find((command) => command.name() === "runs") ?? program.command("runs");
  runs
    .command("compare")
    .argument("<run...>", "ids of two runs or more, or of their jobs")
    .description("in what runs differ: parameters, origins, metrics, environment, code")
    .option("--all", "also what is the same in all of them")
    .option("--metric <key>", "only this metric, with all its aggregates (repeatable)", collect)
    .addHelpText(
      "after",
      `
A NaN is the same as a NaN. With --json values are whole and exact: {runs, params, lineage, environment: [{name, values,
differs}], metrics: [{key, aggregate, values, differs}], code}, where values stand in the order of the runs, null means that
a run has none, and "NaN", "Infinity", "-Infinity" and "-0" are the numbers that JSON lacks. In a pipe values are whole, too.

Examples:
  $ npx trainyard runs compare RUN_A RUN_B RUN_C
  $ npx trainyard runs compare RUN_A RUN_B --metric loss
  $ npx trainyard runs compare RUN_A RUN_B --json | jq '.params[] | select(.differs)'`,
    )
    .action(
      action(async (session: Session, ids: string[], flags: CompareFlags) =>
        (await load()).compare(session, ids, flags),
      ),
    );
  runs
    .command("diff")
    .argument("<a>", "a run's or job's id")
    .argument("<b>", "another's")
    .description("how the code of two runs differs, as a unified diff")
    .option("--code", "the code; without it, the same as compare")
    .addHelpText(
      "after",
      `
The diff is of the code bundles as the ranks got them, with whatever was uncommitted; what that was, is told on standard
error. Binary files and files over 1 MiB are named without their content.

Example:
  $ npx trainyard runs diff --code RUN_A RUN_B | git apply`,
    )
    .action(
      action(async (session: Session, a: string, b: string, flags: DiffFlags) =>
        (await load()).diffRuns(session, a, b, flags),
      ),
    );
};
