import { Argument, Option } from "commander";
import type { ExportFlags } from "../bundle/export-bundle.ts";
import type { BundleFlags } from "../bundle/import-bundle.ts";
import type { AddCommands } from "../command.ts";
import { collect } from "../command.ts";
import type { ParquetFlags, ParquetTable } from "../export/export-parquet.ts";
import type { ImportFlags } from "../mlflow-import/import-command.ts";
import type { Session } from "../session.ts";
import type { SyncFlags } from "../sync/sync-command.ts";

/** `sync`, `export`, `import`. */
export const addMoveCommands: AddCommands = (program, action) => {
  addSync(program, action);
  addExport(program, action);
  addImport(program, action);
};

const addSync: AddCommands = (program, action) => {
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
};

const addExport: AddCommands = (program, action) => {
  const out = program.command("export").description("take runs elsewhere: whole, or as tables");
  out
    .command("bundle")
    .argument("[runs...]", "ids of runs, or of their jobs")
    .description("runs with everything that belongs to them, in one file that another platform imports")
    .option("--experiment <name>", "all runs of this experiment (repeatable)", collect)
    .option("--filter <text>", "only runs that pass; as runs --filter")
    .requiredOption("-o, --output <file>", "the file to write")
    .option("--force", "overwrite the file")
    .addHelpText(
      "after",
      `
A bundle holds parameters, tags, notes, every point with its rank and attempt, artifacts, the model, code with what was
uncommitted, the environment, datasets' versions and the whole record; each with its SHA-256. Checkpoints stay. It is a plain
tar: docs/moving.md says what is in it. The file appears when it is whole.

Examples:
  $ npx trainyard export bundle RUN_A RUN_B -o two.trainyard
  $ npx trainyard export bundle --experiment digits -o digits.trainyard`,
    )
    .action(
      action(async (session: Session, runs: string[], flags: ExportFlags) =>
        (await import("../bundle/export-bundle.ts")).exportBundle(session, runs, flags),
      ),
    );
  out
    .command("parquet")
    .addArgument(new Argument("<table>", "what its rows are").choices(["runs", "metrics"]))
    .argument("[runs...]", "ids of runs, or of their jobs")
    .description("runs, or every point of them, as a Parquet file for DuckDB, pandas and the like")
    .option("--experiment <name>", "all runs of this experiment (repeatable)", collect)
    .option("--filter <text>", "only runs that pass; as runs --filter")
    .requiredOption("-o, --output <file>", "the file to write")
    .option("--force", "overwrite the file")
    .addHelpText(
      "after",
      `
runs: a row per run, with params, tags and metrics (their last values) as maps. metrics: a row per point: run_id, key, step,
time_ms, value, rank (null for points logged by calls), attempt. NaN and infinities are kept.

Examples:
  $ npx trainyard export parquet metrics --experiment digits -o points.parquet
  $ duckdb -c "SELECT run_id, min(value) FROM 'points.parquet' WHERE key = 'loss' GROUP BY run_id"`,
    )
    .action(
      action(async (session: Session, table: ParquetTable, runs: string[], flags: ParquetFlags) =>
        (await import("../export/export-parquet.ts")).exportParquet(session, table, runs, flags),
      ),
    );
};

const addImport: AddCommands = (program, action) => {
  const into = program.command("import").description("bring over what was tracked elsewhere");
  into
    .command("bundle")
    .argument("<file>", "what `export bundle` wrote")
    .description("runs that another platform exported")
    .option("--experiment <name>", "bring all of them into this experiment")
    .addHelpText(
      "after",
      `
The file is checked from end to end before anything is brought over. It can be stopped and started again, and repeated: only
what is new is brought over, also from a later bundle of the same runs. An imported run is a new run with an id of its own;
the id it had is its tag trainyard.source.run_id, and its whole record is its artifact trainyard/run.json.

Example:
  $ npx trainyard import bundle digits.trainyard`,
    )
    .action(
      action(async (session: Session, file: string, flags: BundleFlags) =>
        (await import("../bundle/import-bundle.ts")).importBundle(session, file, flags),
      ),
    );
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
environment and MLFLOW_S3_ENDPOINT_URL. What is deleted, traces and prompts stay where they are.

It can be stopped and started again, and repeated: only what is new is brought over. What cannot be taken is told at the end.
An imported run has its id there as tag trainyard.source.run_id, a logged model (MLflow 3) as trainyard.source.model_id.

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
