import type { AddCommands } from "../command.ts";
import type { SetFlags } from "../secrets/secret-actions.ts";
import type { Session } from "../session.ts";

const load = () => import("../secrets/secret-actions.ts");

const setHelp = `
The value is read from standard input, stored encrypted, and shown to nobody again. A job names it:

  secrets:
    - {name: hf-token, env: HF_TOKEN}       # a variable of its ranks
    - {name: tls-key, file: key.pem}        # a file in the folder that TRAINYARD_SECRETS_DIR names

What the ranks print of it appears as asterisks in their logs (values of four bytes and more).

Examples:
  $ npx trainyard secrets set hf-token < token.txt
  $ pass show hf | npx trainyard secrets set hf-token`;

/** `secrets`. */
export const addSecretCommands: AddCommands = (program, action) => {
  const secrets = program.command("secrets").description("passwords and tokens for jobs: set, list, rm");
  secrets
    .command("set")
    .argument("<name>", "its name in the project")
    .description("store a value, or replace it; jobs that start from now on get it")
    .option("--keep-newline", "keep the newline that the input ends with")
    .addHelpText("after", setHelp)
    .action(
      action(async (session: Session, name: string, flags: SetFlags) =>
        (await load()).setSecret(session, name, flags),
      ),
    );
  secrets
    .command("list")
    .description("their names; nothing shows a value")
    .action(action(async (session: Session) => (await load()).listSecrets(session)));
  secrets
    .command("rm")
    .argument("<name>", "its name")
    .description("remove one; jobs that name it cannot start any more")
    .action(action(async (session: Session, name: string) => (await load()).deleteSecret(session, name)));
};
