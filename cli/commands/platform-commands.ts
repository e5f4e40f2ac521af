import { Option } from "commander";
import { defaultDataDir } from "../client/find-platform.ts";
import type { AddCommands } from "../command.ts";
import { wholeNumber } from "../command.ts";
import { type Shell, shells } from "../env/exports.ts";
import type { Session } from "../session.ts";

interface UpFlags {
  readonly listen: string;
  readonly blobs?: string;
  readonly portBase?: number;
  readonly ports: "default" | "free";
  readonly slots?: number;
  readonly agent: boolean;
  readonly verbose?: boolean;
}

const upHelp = `
Everything listens on this machine only unless --listen names another address. State is kept in .trainyard (--data);
the next start finds everything that was there.

Examples:
  $ npx trainyard up
  $ npx trainyard up --data /tmp/try --ports free     beside another platform
  $ npx trainyard up --listen 0.0.0.0                 for other machines too
  $ npx trainyard up --listen 10.0.0.1 --blobs s3://trainyard`;

const envHelp = `
An MLflow client that runs with these logs here: nothing in the code changes (docs/mlflow.md). The SDK and this command read the
TRAINYARD_ ones. The token is a secret: what it may do is done in its owner's name.

Examples:
  $ eval "$(npx trainyard env)" && python train.py
  $ npx trainyard env --shell fish | source
  $ npx trainyard env --as approver --json | jq -r .MLFLOW_TRACKING_TOKEN`;

/** `up`, `env`, `init`, `version`. */
export const addPlatformCommands: AddCommands = (program, action) => {
  program
    .command("up")
    .description("start the platform on this machine, until Ctrl-C")
    .option("--listen <host>", "address to listen on", "127.0.0.1")
    .option("--blobs <url>", "the blob store, such as s3://bucket; a folder of the state folder unless given")
    .option("--port-base <port>", "ports from here on, the gateway first", wholeNumber("the port", 1, 65_000))
    .option("--ports <which>", '"default" for the well-known ports, "free" for any', "default")
    .option("--slots <n>", "slots of this machine's agent", wholeNumber("slots", 1, 4096))
    .option("--no-agent", "without an agent: nothing runs here")
    .option("--verbose", "the services' log on the terminal as well")
    .addHelpText("after", upHelp)
    .action(
      action(async (session: Session, flags: UpFlags) => {
        const { up } = await import("../up/up-command.ts");
        return up({
          ...flags,
          data: session.options.data ?? process.env.TRAINYARD_DATA ?? defaultDataDir,
          json: session.json,
          verbose: flags.verbose === true,
        });
      }),
    );
  program
    .command("env")
    .description("print the variables by which MLflow clients and the SDK find this platform")
    .addOption(new Option("--shell <shell>", "whose syntax").choices([...shells]).default("sh"))
    .addHelpText("after", envHelp)
    .action(
      action(async (session: Session, flags: { readonly shell: Shell }) => {
        const { printEnv } = await import("../env/env-command.ts");
        printEnv(session, flags.shell);
      }),
    );
  program
    .command("init")
    .argument("[dir]", "folder to write to", ".")
    .description("write a commented job file and a training script to begin with")
    .option("--dir <dir>", "the same as the argument")
    .action(
      action(async (session: Session, dir: string, flags: { readonly dir?: string }) => {
        const { init } = await import("../init/init-command.ts");
        await init(session, flags.dir ?? dir);
      }),
    );
  program
    .command("version")
    .description("the version of this software")
    .action(
      action(async (session: Session) => {
        const { version } = await import("../version.ts");
        const found = version();
        session.print(session.json ? JSON.stringify({ version: found, node: process.version }) : found);
      }),
    );
};
