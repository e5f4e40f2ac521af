import type { AddCommands } from "../command.ts";
import { wholeNumber } from "../command.ts";
import type { EvaluateFlags } from "../evaluations/evaluation-actions.ts";
import type { Session } from "../session.ts";

const load = () => import("../evaluations/evaluation-actions.ts");

const help = `
Examples:
  $ npx trainyard evaluate apply suite.yaml
  $ npx trainyard evaluate run digits@1.0.0 -f
  $ npx trainyard evaluate digits@1.0.0 -f               the same
  $ npx trainyard evaluate show eval_01h455vb4pex5vsknk084sn02q`;

/** `evaluate`. */
export const addEvaluationCommands: AddCommands = (program, action) => {
  const evaluate = program
    .command("evaluate")
    .description("measure model versions with suites: apply, run, show, list")
    .usage("apply SUITE.yaml | MODEL@VERSION [--suite NAME] [-f] | show ID | list")
    .addHelpText("after", help);
  evaluate
    .command("apply")
    .argument("<file>", "the suite (YAML)")
    .description("create a suite, or a new revision of it")
    .action(action(async (session: Session, file: string) => (await load()).applySuite(session, file)));
  evaluate
    .command("run", { isDefault: true })
    .argument("<version>", "MODEL@VERSION or an id (mv_…)")
    .description("evaluate a model version, as a job of its own")
    .option("--suite <name>", "the suite; the one its job named unless given")
    .option("-f, --follow", "wait for the verdict; exit code 0 only if every gate passes")
    .action(
      action(async (session: Session, version: string, flags: EvaluateFlags) =>
        (await load()).evaluate(session, version, flags),
      ),
    );
  evaluate
    .command("show")
    .argument("<evaluation>", "its id (eval_…)")
    .description("the report: metrics, classes, gates")
    .action(action(async (session: Session, id: string) => (await load()).showEvaluation(session, id)));
  evaluate
    .command("list")
    .description("evaluations, newest first")
    .option("--model <name>", "only of this model")
    .option("--limit <n>", "at most so many", wholeNumber("the limit", 1, 10_000), 20)
    .action(
      action(async (session: Session, flags: { readonly model?: string; readonly limit: number }) =>
        (await load()).listEvaluations(session, flags),
      ),
    );
  evaluate
    .command("suites")
    .description("the suites")
    .action(action(async (session: Session) => (await load()).listSuites(session)));
};
