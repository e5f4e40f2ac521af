import type { AddCommands } from "../command.ts";
import type { Session } from "../session.ts";

const load = () => import("../fleet/fleet-actions.ts");

/** `nodes`, `queues`. */
export const addFleetCommands: AddCommands = (program, action) => {
  program
    .command("nodes")
    .description("the machines, their slots and when they were last heard of")
    .action(action(async (session: Session) => (await load()).nodes(session)));
  program
    .command("queues")
    .description("the queues, what waits and runs in each")
    .action(action(async (session: Session) => (await load()).queues(session)));
};
