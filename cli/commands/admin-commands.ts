import type { AddCommands } from "../command.ts";
import type { Session } from "../session.ts";

const load = () => import("../events/dead-letter-actions.ts");

/** `dead-letters`. */
export const addAdminCommands: AddCommands = (program, action) => {
  const letters = program
    .command("dead-letters")
    .description("events that no handler could take: list, show, replay (role admin)");
  letters
    .command("list")
    .description("the dead letters, newest first")
    .action(action(async (session: Session) => (await load()).listDeadLetters(session)));
  letters
    .command("show")
    .argument("<id>")
    .description("one with its payload")
    .action(action(async (session: Session, id: string) => (await load()).showDeadLetter(session, id)));
  letters
    .command("replay")
    .argument("<id>")
    .description("hand it to its consumers again")
    .action(action(async (session: Session, id: string) => (await load()).replayDeadLetter(session, id)));
};
