import type { AddCommands } from "../command.ts";
import { collect, wholeNumber } from "../command.ts";
import type { CancelFlags, JobsFlags, LogsFlags } from "../jobs/job-actions.ts";
import type { Session } from "../session.ts";

const load = () => import("../jobs/job-actions.ts");

/** `jobs`, `status`, `logs`, `stacks`, `cancel`. */
export const addJobCommands: AddCommands = (program, action) => {
  program
    .command("jobs")
    .description("jobs, newest first")
    .option("--state <state>", "only queued, starting, running, succeeded, … (repeatable)", collect)
    .option("--queue <name>", "only of this queue")
    .option("--evaluations", "evaluation jobs as well")
    .option("--limit <n>", "at most so many", wholeNumber("the limit", 1, 10_000), 20)
    .action(action(async (session: Session, flags: JobsFlags) => (await load()).jobs(session, flags)));
  program
    .command("status")
    .argument("<job>", "a job's or run's id")
    .description("one job: why it waits, its attempts, checkpoints, how it failed")
    .option("-f, --follow", "follow it to its end; exit code 0 only if it succeeds")
    .addHelpText("after", "\nExample:\n  $ npx trainyard status job_01h455vb4pex5vsknk084sn02q")
    .action(
      action(async (session: Session, id: string, flags: { readonly follow?: boolean }) =>
        (await load()).status(session, id, flags),
      ),
    );
  program
    .command("logs")
    .argument("<job>", "a job's or run's id")
    .description("what the ranks printed")
    .option("-f, --follow", "go on until the run has ended")
    .option("--rank <n>", "only of this rank", wholeNumber("the rank", 0, 4095))
    .option("--attempt <n>", "only of this attempt", wholeNumber("the attempt", 1, 1_000_000))
    .option("--grep <pattern>", "only lines that this regular expression matches")
    .option(
      "--tail <n>",
      "only the last lines of each rank",
      wholeNumber("the number of lines", 1, 1_000_000),
    )
    .addHelpText(
      "after",
      "\nOf an output of more than 64 MiB the beginning and the end are kept; a line says what is missing.\n\nExample:\n  $ npx trainyard logs -f JOB --rank 1 --grep 'loss|warn'",
    )
    .action(
      action(async (session: Session, id: string, flags: LogsFlags) =>
        (await load()).logs(session, id, flags),
      ),
    );
  program
    .command("stacks")
    .argument("<job>", "a job's or run's id")
    .description("where each rank of a running job is, in Python")
    .option("--rank <n>", "only of this rank", wholeNumber("the rank", 0, 4095))
    .addHelpText(
      "after",
      `
Asks the ranks on their nodes, which costs them nothing and stops nothing. When one rank is not where the others wait, it is
named: in a hung collective that is the one that holds the others up.

Example:
  $ npx trainyard stacks job_01h455vb4pex5vsknk084sn02q --rank 1`,
    )
    .action(
      action(async (session: Session, id: string, flags: { readonly rank?: number }) =>
        (await import("../jobs/stack-actions.ts")).stacks(session, id, flags),
      ),
    );
  program
    .command("cancel")
    .argument("<job>", "a job's id")
    .description("stop a job; one that has ended stays as it is")
    .option("--reason <text>", "why, for the record")
    .action(
      action(async (session: Session, id: string, flags: CancelFlags) =>
        (await load()).cancel(session, id, flags),
      ),
    );
};
