import type { AddCommands } from "../command.ts";
import { collect } from "../command.ts";
import type { Session } from "../session.ts";
import type { CreateTokenFlags } from "../tokens/token-actions.ts";

const load = () => import("../tokens/token-actions.ts");

const createHelp = `
The secret goes to standard output, once; the platform keeps only its hash.

Examples:
  $ npx trainyard tokens create --as admin --principal ci --role submitter --ttl 30d > ci.token
  $ TRAINYARD_TOKEN=$(cat ci.token) npx trainyard submit job.yaml`;

/** `tokens`. */
export const addTokenCommands: AddCommands = (program, action) => {
  const tokens = program.command("tokens").description("API tokens: create, list, revoke (role admin)");
  tokens
    .command("create")
    .description("make a token; its secret is printed once")
    .requiredOption("--principal <name>", "who it speaks for")
    .requiredOption("--role <role>", "viewer, submitter, approver or admin (repeatable)", collect)
    .option("--ttl <duration>", "ends after so long, such as 30d; never unless given")
    .option("--project <name>", "the project it is for")
    .addHelpText("after", createHelp)
    .action(
      action(async (session: Session, flags: CreateTokenFlags) => (await load()).createToken(session, flags)),
    );
  tokens
    .command("list")
    .description("the tokens without their secrets")
    .action(action(async (session: Session) => (await load()).listTokens(session)));
  tokens
    .command("revoke")
    .argument("<id>", "the token's id (tok_…)")
    .description("end a token at once")
    .action(action(async (session: Session, id: string) => (await load()).revokeToken(session, id)));
};
