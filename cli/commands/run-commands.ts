import type { AddCommands } from "../command.ts";
import { collect, wholeNumber } from "../command.ts";
import type { MetricsFlags, RunsFlags } from "../runs/run-actions.ts";
import type { Session } from "../session.ts";

const load = () => import("../runs/run-actions.ts");

/** `runs`, `metrics`. */
export const addRunCommands: AddCommands = (program, action) => {
  program
    .command("runs")
    .description("recorded runs, newest first, with their last metrics")
    .option("--experiment <name>", "only of this experiment")
    .option("--limit <n>", "at most so many", wholeNumber("the limit", 1, 10_000), 20)
    .action(action(async (session: Session, flags: RunsFlags) => (await load()).runs(session, flags)));
  program
    .command("metrics")
    .argument("<run>", "a run's or job's id")
    .description("a run's metrics: a summary with a curve each, or every point of the keys given")
    .option("--key <name>", "every point of this metric (repeatable)", collect)
    .option("--rank <n>", "only of this rank", wholeNumber("the rank", 0, 4095))
    .option("-f, --follow", "print points as they come, until the run has ended")
    .addHelpText(
      "after",
      "\nExamples:\n  $ npx trainyard metrics RUN\n  $ npx trainyard metrics RUN --key loss > loss.tsv",
    )
    .action(
      action(async (session: Session, id: string, flags: MetricsFlags) =>
        (await load()).metrics(session, id, flags),
      ),
    );
};
