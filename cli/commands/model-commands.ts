import type { AddCommands } from "../command.ts";
import { wholeNumber } from "../command.ts";
import type { ApproveFlags, PromoteFlags, RollbackFlags, WaiveFlags } from "../models/model-actions.ts";
import type { Session } from "../session.ts";

const load = () => import("../models/model-actions.ts");

const approveHelp = `
Needs the approver role, and another person than the run's submitter. When its gates have passed, the version becomes
champion with the approval, and its predecessor is archived.

Example:
  $ npx trainyard approve digits 1.0.0 --as approver --comment "looks right"`;

const waiveHelp = `
A job that reads host paths (data: {paths: [...]}) has a run that is marked as trained on untracked data, and the versions of
its model become neither canary nor champion until somebody answers for that. Needs the approver role, and another person
than the run's submitter. Who and why is kept with the version; a new waiver takes the place of an older one.

Example:
  $ npx trainyard models waive digits@1.0.0 --as approver --reason "the public MNIST files, checked by hand"`;

/** `models`, `approve`, `promote`, `rollback`. */
export const addModelCommands: AddCommands = (program, action) => {
  const models = program.command("models").description("registered models: list, show, history, waive");
  models
    .command("list", { isDefault: true })
    .description("the models and their champions")
    .option("--limit <n>", "at most so many", wholeNumber("the limit", 1, 10_000), 50)
    .action(
      action(async (session: Session, flags: { readonly limit: number }) =>
        (await load()).listModels(session, flags),
      ),
    );
  models
    .command("show")
    .argument("<model>", "MODEL for its versions, MODEL@VERSION for one")
    .description("a model's versions, or one version with its gate and approvals")
    .action(action(async (session: Session, text: string) => (await load()).showModel(session, text)));
  models
    .command("history")
    .argument("<model>", "the model's name")
    .description("who moved which version where, newest first")
    .option("--limit <n>", "at most so many", wholeNumber("the limit", 1, 10_000), 50)
    .action(
      action(async (session: Session, name: string, flags: { readonly limit: number }) =>
        (await load()).modelHistory(session, name, flags),
      ),
    );
  models
    .command("waive")
    .argument("<model>", "the model, or MODEL@VERSION")
    .argument("[version]", "its version")
    .description("say that a version may be promoted although nothing has recorded its training data")
    .requiredOption("--reason <text>", "why, for the record")
    .addHelpText("after", waiveHelp)
    .action(
      action(async (session: Session, model: string, version: string | undefined, flags: WaiveFlags) =>
        (await load()).waive(session, model, version, flags),
      ),
    );
  program
    .command("approve")
    .argument("<model>", "the model, or MODEL@VERSION")
    .argument("[version]", "its version")
    .description("say that a version may become champion")
    .option("--comment <text>", "what to record with it")
    .addHelpText("after", approveHelp)
    .action(
      action(async (session: Session, model: string, version: string | undefined, flags: ApproveFlags) =>
        (await load()).approve(session, model, version, flags),
      ),
    );
  program
    .command("promote")
    .argument("<model>", "the model, or MODEL@VERSION")
    .argument("[version]", "its version")
    .description("move a version to another stage")
    .requiredOption("--stage <stage>", "staging, canary, champion or archived")
    .option("--reason <text>", "why, for the record")
    .action(
      action(async (session: Session, model: string, version: string | undefined, flags: PromoteFlags) =>
        (await load()).promote(session, model, version, flags),
      ),
    );
  program
    .command("rollback")
    .argument("<model>", "the model")
    .description("make the previous champion champion again (role approver)")
    .option("--reason <text>", "why, for the record")
    .action(
      action(async (session: Session, model: string, flags: RollbackFlags) =>
        (await load()).rollback(session, model, flags),
      ),
    );
};
