import type { AddCommands } from "../command.ts";
import { collect, wholeNumber } from "../command.ts";
import type { Session } from "../session.ts";
import type { RunFlags, SubmitFlags } from "../submit/submit-command.ts";

const submitHelp = `
The file is checked here first: a mistake is told with its line and column. The code folder is packed (.gitignore is
respected) and sent only when the platform does not have it. Give --request-id to make a repeated call harmless.

Examples:
  $ npx trainyard submit job.yaml -f
  $ npx trainyard submit job.yaml --set lr=0.01 --set optimizer.momentum=0.9 --name digits-slow
  $ npx trainyard submit job.yaml --from run_01h455vb4pex5vsknk084sn02q@1200
  $ npx trainyard submit job.yaml --json | jq -r .job.id`;

const runHelp = `
What stands after -- is the script and its arguments; this folder is the code. It is followed unless --detach is given.

Examples:
  $ npx trainyard run -- train.py
  $ npx trainyard run --ranks 2 --set lr=0.1 --dataset digits@1.0.0 -- train.py --epochs 3
  $ npx trainyard run --framework process --detach -- -m package.module`;

/** `submit` and `run`. */
export const addSubmitCommands: AddCommands = (program, action) => {
  program
    .command("submit")
    .argument("<file>", "the job file (YAML)")
    .description("submit a job file")
    .option("-f, --follow", "follow the job to its end; exit code 0 only if it succeeds")
    .option("--set <key=value>", "set a parameter; dots reach into objects (repeatable)", collect)
    .option("--name <name>", "another name than the file's")
    .option("--from <run[@step]>", "begin at a checkpoint of another run: its newest, or that of a step")
    .option("--request-id <id>", "repeat a submission safely: the same id and content give the same job")
    .addHelpText("after", submitHelp)
    .action(
      action(async (session: Session, file: string, flags: SubmitFlags) => {
        const { submitFile } = await import("../submit/submit-command.ts");
        return submitFile(session, file, flags);
      }),
    );
  program
    .command("run")
    .argument("<script...>", "script and arguments, after --")
    .usage("[options] -- SCRIPT [ARGUMENT...]")
    .description("submit this folder without a job file, and follow")
    .option("--ranks <n>", "processes that start together", wholeNumber("ranks", 1, 4096))
    .option("--slots-per-rank <n>", "slots that each takes", wholeNumber("slots per rank", 1, 64))
    .option("--slot-kind <kind>", "only on nodes whose slots are of this kind, such as gpu")
    .option("--name <name>", "the job's name; the script's unless given")
    .option("--set <key=value>", "set a parameter (repeatable)", collect)
    .option("--dataset <name[@version]>", "train on this dataset version")
    .option("--framework <framework>", '"torch", "process" (a plain program) or "tensorflow"')
    .option("--model <name>", "the finished run becomes a version of this model")
    .option("--queue <name>", "the queue to wait in")
    .option("--retries <n>", "how often a failure of the script is retried", wholeNumber("retries", 0, 100))
    .option(
      "--seed <n>",
      "seed of every random generator",
      wholeNumber("the seed", 0, Number.MAX_SAFE_INTEGER),
    )
    .option("--from <run[@step]>", "begin at a checkpoint of another run")
    .option("--detach", "do not follow")
    .option("--request-id <id>", "repeat a submission safely")
    .addHelpText("after", runHelp)
    .action(
      action(async (session: Session, script: readonly string[], flags: RunFlags) => {
        const { runScript } = await import("../submit/submit-command.ts");
        return runScript(session, script, flags);
      }),
    );
};
