import { Option } from "commander";
import type { AddCommands } from "../command.ts";
import { collect } from "../command.ts";
import type { ImportFlags } from "../mlflow-import/import-command.ts";
import type { Session } from "../session.ts";
import type { SyncFlags } from "../sync/sync-command.ts";

/** `sync`, `import`. */
export const addMoveCommands: AddCommands = (program, action) => {
  program
    .command("sync")
    .argument("<dir>", "a folder of recorded runs, or one run's")
    .description("send runs that were recorded without a platform, as often as you like")
    .option("-f, --follow", "go on while they grow, until all of them have ended")
    .addOption(
      new Option(
        "--ended <status>",
        "how runs ended that do not say so, and whose processes ran on another machine",
      ).choices(["completed", "failed", "killed"]),
    )
    .addHelpText(
      "after",
      `
A script records a run with trainyard.init(offline="DIR"), or under TRAINYARD_OFFLINE=DIR. What was sent is noted in the run's
folder, so that nothing is sent twice, also after a crash in the middle. A run whose process is gone without a word has failed.

Examples:
  $ npx trainyard sync runs/                  whatever is new
  $ npx trainyard sync runs/ --follow &       while they train`,
    )
    .action(
      action(async (session: Session, dir: string, flags: SyncFlags) =>
        (await import("../sync/sync-command.ts")).sync(session, dir, flags),
      ),
    );
  const into = program.command("import").description("bring over what was tracked elsewhere");
  into
    .command("mlflow")
    .description("from MLflow: experiments, runs, every point, parameters, tags, files, models")
    .requiredOption(
      "--from <uri>",
      "a server (http://…), a folder (./mlruns), or a database (sqlite:///mlflow.db)",
    )
    .option("--experiment <name>", "only this experiment (repeatable)", collect)
    .option("--artifacts <dir>", "the folder behind mlflow-artifacts:/, for a database")
    .option("--no-models", "leave registered models out")
    .addHelpText(
      "after",
      `
Files and databases are read as they are; MLflow need not be installed. A server is asked as MLflow's own client asks it,
with MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD. Files in S3 are read with the AWS
environment and MLFLOW_S3_ENDPOINT_URL. Deleted experiments and runs stay where they are.

It can be stopped and started again, and repeated: only what is new is brought over. What cannot be taken is told at the end.
An imported run has its id there as tag trainyard.source.run_id.

Examples:
  $ npx trainyard import mlflow --from ./mlruns
  $ npx trainyard import mlflow --from http://mlflow.example:5000 --experiment vision --json`,
    )
    .action(
      action(async (session: Session, flags: ImportFlags) =>
        (await import("../mlflow-import/import-command.ts")).importMlflow(session, flags),
      ),
    );
};
