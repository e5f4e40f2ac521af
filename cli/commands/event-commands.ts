import type { AddCommands } from "../command.ts";
import type { EventsFlags } from "../events/event-actions.ts";
import type { Session } from "../session.ts";

const help = `
Examples:
  $ npx trainyard events -f
  $ npx trainyard events --since 10m --entity model_version
  $ npx trainyard events --since 1h --json | jq .event.data`;

/** `events`. */
export const addEventCommands: AddCommands = (program, action) => {
  program
    .command("events")
    .description("what happened: the domain events")
    .option("-f, --follow", "go on as they happen")
    .option("--since <when>", "from so long ago (10m, 2h) or a time; 10m unless following")
    .option("--service <name>", "only of this service")
    .option("--entity <name>", "only about this: job, run, model_version, …")
    .option("--event <name>", "only these: submitted, ended, stage_changed, …")
    .addHelpText("after", help)
    .action(
      action(async (session: Session, flags: EventsFlags) => {
        const { events } = await import("../events/event-actions.ts");
        return events(session, flags);
      }),
    );
};
