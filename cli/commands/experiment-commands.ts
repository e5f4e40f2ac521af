import { Option } from "commander";
import type { AddCommands } from "../command.ts";
import { collect, wholeNumber } from "../command.ts";
import type { ListFlags, TextFlags } from "../experiments/experiment-actions.ts";
import type { Session } from "../session.ts";

const load = () => import("../experiments/experiment-actions.ts");

const listHelp = `
A filter is comparisons joined by AND, over name, experiment_id, owner, creation_time, last_update_time and tags.KEY:
= != LIKE ILIKE IN NOT IN for texts, = != < <= > >= for times ('2026-11-21' or milliseconds since 1970), IS NULL.

Examples:
  $ npx trainyard experiments --filter "name LIKE 'digits%' AND tags.team = 'vision'"
  $ npx trainyard experiments --order-by 'creation_time DESC' --view all`;

/** `experiments`. */
export const addExperimentCommands: AddCommands = (program, action) => {
  const experiments = program
    .command("experiments")
    .description("groups of runs: list, show, create, rename, edit, delete, restore");
  experiments
    .command("list", { isDefault: true })
    .description("experiments by a filter, in an order; without any, those changed last")
    .option("--filter <text>", "only those that pass, see below")
    .option("--order-by <key>", "what decides the order (repeatable)", collect)
    .addOption(
      new Option("--view <which>", "by whether they are deleted")
        .choices(["active", "deleted", "all"])
        .default("active"),
    )
    .option("--limit <n>", "at most so many", wholeNumber("the limit", 1, 10_000), 50)
    .addHelpText("after", listHelp)
    .action(
      action(async (session: Session, flags: ListFlags) => (await load()).listExperiments(session, flags)),
    );
  experiments
    .command("show")
    .argument("<experiment>", "its name or id")
    .description("an experiment, a deleted one too")
    .action(action(async (session: Session, id: string) => (await load()).showExperiment(session, id)));
  const texts = (name: string, argument: string, description: string) =>
    experiments
      .command(name)
      .argument("<experiment>", argument)
      .description(description)
      .option("--description <text>", "what it is about, in Markdown")
      .option("--owner <name>", "who answers for it")
      .option("--tag <key=value>", "set this tag (repeatable)", collect);
  texts("create", "its name", "make an experiment; the first run that names one makes it too").action(
    action(async (session: Session, name: string, flags: TextFlags) =>
      (await load()).createExperiment(session, name, flags),
    ),
  );
  texts("edit", "its name or id", "describe, tag or hand over an experiment").action(
    action(async (session: Session, id: string, flags: TextFlags) =>
      (await load()).editExperiment(session, id, flags),
    ),
  );
  experiments
    .command("rename")
    .argument("<experiment>", "its name or id")
    .argument("<name>", "its new name; its runs follow")
    .description("rename an experiment")
    .action(
      action(async (session: Session, id: string, name: string) =>
        (await load()).renameExperiment(session, id, name),
      ),
    );
  experiments
    .command("delete")
    .argument("<experiment>", "its name or id")
    .description("mark an experiment as deleted, and with it its runs; its name stays taken")
    .action(
      action(async (session: Session, id: string) => (await load()).moveExperiment(session, id, "delete")),
    );
  experiments
    .command("restore")
    .argument("<experiment>", "its name or id")
    .description("bring a deleted experiment back, with those of its runs that were not deleted themselves")
    .action(
      action(async (session: Session, id: string) => (await load()).moveExperiment(session, id, "restore")),
    );
};
