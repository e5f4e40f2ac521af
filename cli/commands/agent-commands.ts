import type { InviteFlags } from "../agent/invite.ts";
import type { JoinFlags } from "../agent/join.ts";
import type { AddCommands } from "../command.ts";
import { wholeNumber } from "../command.ts";
import type { Session } from "../session.ts";

const inviteHelp = `
The secret goes to standard output, once. With it one machine may join under that name, once, until it ends. Inviting a
name again and joining with the new token replaces the machine.

Example:
  $ npx trainyard agent invite gpu-7 --as admin > join.token`;

const joinHelp = `
The token: --token, or where no other user sees it TRAINYARD_JOIN_TOKEN, or --token-file FILE ("-" reads standard input).
The machine needs this checkout with its set-up done, the bus (7422), gateway (7070), scheduler (7071) and tracking (7072) of the platform
within reach, and its blob store: S3, or the same folder at the same path. See docs/cluster.md.

Examples:
  $ npx trainyard agent join http://10.0.0.1:7070 --token-file join.token
  $ npx trainyard agent join http://10.0.0.1:7070 --token-file - --dir /var/lib/trainyard-agent --no-start < join.token`;

/** `agent`. */
export const addAgentCommands: AddCommands = (program, action) => {
  const agent = program.command("agent").description("further machines: invite, join, run");
  agent
    .command("invite")
    .argument("<node>", "the machine's name in the fleet")
    .description("make a token with which a machine may join once (role admin)")
    .option("--ttl <duration>", "ends after so long, such as 15m; an hour unless given")
    .addHelpText("after", inviteHelp)
    .action(
      action(async (session: Session, node: string, flags: InviteFlags) => {
        const { invite } = await import("../agent/invite.ts");
        await invite(session, node, flags);
      }),
    );
  agent
    .command("join")
    .argument("<url>", "the platform's gateway")
    .description("make this machine a node of that platform, and run its agent")
    .option("--token-file <file>", "file with the join token")
    .option("--dir <dir>", "the agent's folder, on a local disk", ".trainyard-agent")
    .option(
      "--address <host>",
      "where other nodes reach this one; the address it reaches the platform from unless given",
    )
    .option("--rendezvous-interface <name>", "network interface on which gangs of several nodes meet")
    .option("--slots <n>", "slots; one per GPU, else per core, unless given", wholeNumber("slots", 1, 4096))
    .option("--listen-port <port>", "port of the agent's health page", wholeNumber("the port", 1, 65_535))
    .option("--no-start", "write the agent's settings only, for a service manager to start it")
    .addHelpText("after", joinHelp)
    .action(
      action(async (session: Session, url: string, flags: JoinFlags) => {
        const { join } = await import("../agent/join.ts");
        return join(session, url, flags);
      }),
    );
  agent
    .command("run")
    .description("run the agent of a machine that has joined, until Ctrl-C; its ranks run on")
    .option("--dir <dir>", "the agent's folder", ".trainyard-agent")
    .action(
      action(async (_session: Session, flags: { readonly dir: string }) => {
        const { runAgent } = await import("../agent/run-agent.ts");
        return runAgent(flags.dir);
      }),
    );
};
