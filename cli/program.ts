import { Command, Option } from "commander";
import { localIdentities } from "./client/find-platform.ts";
import type { AddCommands, CommandAction } from "./command.ts";
import { addAdminCommands } from "./commands/admin-commands.ts";
import { addAgentCommands } from "./commands/agent-commands.ts";
import { addArtifactCommands, addGarbageCommands } from "./commands/artifact-commands.ts";
import { addCompareCommands } from "./commands/compare-commands.ts";
import { addDatasetCommands } from "./commands/dataset-commands.ts";
import { addEvaluationCommands } from "./commands/evaluation-commands.ts";
import { addEventCommands } from "./commands/event-commands.ts";
import { addExperimentCommands } from "./commands/experiment-commands.ts";
import { addFleetCommands } from "./commands/fleet-commands.ts";
import { addJobCommands } from "./commands/job-commands.ts";
import { addModelCommands } from "./commands/model-commands.ts";
import { addMoveCommands } from "./commands/move-commands.ts";
import { addPlatformCommands } from "./commands/platform-commands.ts";
import { addReproduceCommands } from "./commands/reproduce-commands.ts";
import { addRunCommands } from "./commands/run-commands.ts";
import { addSecretCommands } from "./commands/secret-commands.ts";
import { addSubmitCommands } from "./commands/submit-commands.ts";
import { addTokenCommands } from "./commands/token-commands.ts";
import { exitCodes } from "./exit-codes.ts";
import { type GlobalOptions, Session } from "./session.ts";
import { version } from "./version.ts";

const groups: readonly (readonly [string, readonly AddCommands[]])[] = [
  ["Platform:", [addPlatformCommands]],
  ["Train:", [addSubmitCommands, addJobCommands, addReproduceCommands]],
  ["Look at results:", [addRunCommands, addExperimentCommands, addCompareCommands, addArtifactCommands]],
  ["Data, evaluation, models:", [addDatasetCommands, addEvaluationCommands, addModelCommands]],
  ["Move in and out:", [addMoveCommands]],
  [
    "Operate:",
    [
      addFleetCommands,
      addAgentCommands,
      addEventCommands,
      addAdminCommands,
      addGarbageCommands,
      addTokenCommands,
      addSecretCommands,
    ],
  ],
];

const epilogue = `
Examples:
  $ npm start                                          start the platform on this machine
  $ npx trainyard init my-model                        a commented job file and a script to begin with
  $ npx trainyard submit my-model/job.yaml -f          submit it and follow it to its end
  $ npx trainyard run --ranks 2 -- train.py --lr 0.1   the same without a job file
  $ npx trainyard status JOB                           why it waits, or how it failed
  $ npx trainyard jobs --json | jq '.jobs[].id'

Which platform, and as whom:
  The platform of the nearest .trainyard folder, with its submitter's token; --as admin or --as approver takes another
  of that folder's tokens. Elsewhere set TRAINYARD_URL and TRAINYARD_TOKEN; a token given by --token is visible to every
  user of this machine in the list of processes.

Output:
  Tables on a terminal, tab-separated lines without titles in a pipe, ProtoJSON with --json (one object per line where
  it follows). NO_COLOR turns colours off. Times are local, with --utc in UTC.

Exit codes:
  0 done · 1 failed or refused · 2 wrong usage or invalid input · 3 not found · 4 not permitted · 5 platform unavailable
  6 what was to be the same differs (reproduce)`;

/** The whole command line. `onEnd` gets the exit code of the command that ran. */
export function createProgram(onEnd: (exitCode: number) => void): Command {
  const program = new Command("trainyard")
    .description("Trains models on a fleet of machines, and keeps account of everything that went into them.")
    .usage("COMMAND [options]")
    .optionsGroup("Global options:")
    .option("--json", "machine-readable output")
    .option("--utc", "times in UTC")
    .option("--url <url>", "the platform's address (TRAINYARD_URL)")
    .option("--token <token>", "API token; better by TRAINYARD_TOKEN, where no other user sees it")
    .addOption(
      new Option("--as <identity>", "one of the local platform's own identities").choices(localIdentities),
    )
    .option("--data <dir>", "the state folder of a platform on this machine (TRAINYARD_DATA)")
    .helpOption("-h, --help", "how to use it")
    .helpCommand(false)
    .version(version(), "-V, --version", "the version")
    .configureHelp({ showGlobalOptions: false, sortSubcommands: false })
    .addHelpText("after", epilogue)
    .showHelpAfterError("(add --help for how to use it)")
    .showSuggestionAfterError()
    .exitOverride();
  const action: CommandAction =
    (run) =>
    async (...args: unknown[]) => {
      // Commander passes (arguments…, options, command).
      const command = args.at(-1) as Command;
      const session = new Session(command.optsWithGlobals<GlobalOptions>());
      warnOfToken(session.options);
      try {
        // As many as the command declares, in the types that commander makes of them.
        onEnd((await run(session, ...(args.slice(0, -1) as never[]))) ?? exitCodes.ok);
      } catch (error) {
        throw (await import("./client/as-domain-error.ts")).asDomainError(error, session.url) ?? error;
      }
    };
  for (const [heading, parts] of groups) {
    program.commandsGroup(heading);
    for (const add of parts) add(program, action);
  }
  tidyHelp(program);
  return program;
}

/** What commander does not hand down to subcommands. */
function tidyHelp(command: Command): void {
  for (const child of command.commands) {
    child.helpOption("-h, --help", "how to use it");
    if (child.commands.length > 0) child.helpCommand(false);
    child.addHelpText(
      "after",
      "\n--json, --utc, --url, --as and --data work here too; see trainyard --help.",
    );
    tidyHelp(child);
  }
}

function warnOfToken({ token }: GlobalOptions): void {
  if (token !== undefined && process.stderr.isTTY)
    process.stderr.write(
      "note: a token given by --token is visible in the list of processes; TRAINYARD_TOKEN is not\n",
    );
}
