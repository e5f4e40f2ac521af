import { Option } from "commander";
import type { AddCommands } from "../command.ts";
import { collect, wholeNumber } from "../command.ts";
import type { EditFlags, NoteFlags, TagFlags } from "../runs/change-runs.ts";
import { filterHelp } from "../runs/filter-help.ts";
import type { ListFlags } from "../runs/list-runs.ts";
import type { MetricsFlags } from "../runs/run-actions.ts";
import type { Session } from "../session.ts";

const wholeStep = wholeNumber("the step", -Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);
const load = () => import("../runs/run-actions.ts");
const changes = () => import("../runs/change-runs.ts");

const listHelp = `${filterHelp}

Columns: run, name, experiment, status, started, ended, user, job, parent, lifecycle, favourite, metrics.KEY,
metrics.KEY.min, params.KEY, tags.KEY. With --json and no --columns, everything is filled in.

Examples:
  $ npx trainyard runs --experiment digits --filter "metrics.acc.max > 0.9 AND params.lr = '0.1'"
  $ npx trainyard runs --order-by metrics.loss.min --columns run,metrics.loss.min,params.lr --limit 5
  $ npx trainyard runs --filter "status = 'FAILED' AND start_time > '2026-11-01'" --json | jq '.runs[].id'`;

const checkpointsHelp = `
Kept are the newest (checkpoint.keep of the job file), the best by checkpoint.best, and those that another run starts from.

Examples:
  $ npx trainyard checkpoints run_01h455vb4pex5vsknk084sn02q
  $ npx trainyard submit job.yaml --from run_01h455vb4pex5vsknk084sn02q@1200
  $ npx trainyard checkpoints job_01h455vb4pex5vsknk084sn02q --json | jq '.checkpoints[0].step'`;

/** `runs`, `checkpoints`, `metrics`. */
export const addRunCommands: AddCommands = (program, action) => {
  const runs = program
    .command("runs")
    .description(
      "recorded runs: list, show, tag, note, edit, favourite, archive, delete, restore, compare, diff",
    );
  runs
    .command("list", { isDefault: true })
    .description("runs by a filter, in an order, with the columns asked for; without any, the newest")
    .option("--experiment <name>", "only of this experiment, by name or id (repeatable)", collect)
    .option("--filter <text>", "only those that pass, see below")
    .option("--order-by <key>", "what decides the order, see below (repeatable)", collect)
    .option("--columns <list>", "what to show, separated by commas")
    .addOption(
      new Option("--view <which>", "by whether they are in sight")
        .choices(["active", "archived", "deleted", "all"])
        .default("active"),
    )
    .option("--favourites", "only your favourites")
    .option("--limit <n>", "at most so many", wholeNumber("the limit", 1, 10_000), 20)
    .addHelpText("after", listHelp)
    .action(
      action(async (session: Session, flags: ListFlags) =>
        (await import("../runs/list-runs.ts")).listRuns(session, flags),
      ),
    );
  runs
    .command("show")
    .argument("<run>", "a run's or job's id")
    .description("what a run is, what it was given, what came out, and what people say about it")
    .action(
      action(async (session: Session, id: string) =>
        (await import("../runs/show-run.ts")).showRun(session, id),
      ),
    );
  program
    .command("checkpoints")
    .argument("<run>", "a run's or job's id")
    .description("a run's committed checkpoints: what it resumes from, and what another job can start from")
    .addHelpText("after", checkpointsHelp)
    .action(
      action(async (session: Session, id: string) =>
        (await import("../runs/list-checkpoints.ts")).listCheckpoints(session, id),
      ),
    );
  runs
    .command("tag")
    .argument("<run>", "the run's id")
    .argument("[tags...]", "KEY=VALUE; a tag that is there is overwritten")
    .description("set tags of a run, or remove some")
    .option("--remove <key>", "remove this tag (repeatable)", collect)
    .addHelpText("after", "\nExample:\n  $ npx trainyard runs tag RUN team=vision stage=final --remove draft")
    .action(
      action(async (session: Session, id: string, tags: string[], flags: TagFlags) =>
        (await changes()).tagRun(session, id, tags, flags),
      ),
    );
  runs
    .command("note")
    .argument("<run>", "the run's id")
    .argument("[text]", "what to note, in Markdown; without it, the notes are listed")
    .description("note something about a run, with your name and the time; or list the notes")
    .option("--step <n>", "the note is about this step: charts show it there", wholeStep)
    .option("--key <metric>", "of this metric; with --step")
    .option("--remove <note>", "remove this note: your own, or as an admin")
    .option("--limit <n>", "at most so many", wholeNumber("the limit", 1, 10_000), 50)
    .addHelpText(
      "after",
      '\nExample:\n  $ npx trainyard runs note RUN "the rate was halved here" --step 1200 --key loss',
    )
    .action(
      action(async (session: Session, id: string, text: string | undefined, flags: NoteFlags) =>
        (await changes()).noteRun(session, id, text, flags),
      ),
    );
  runs
    .command("edit")
    .argument("<run>", "the run's id")
    .description("rename or describe a run")
    .option("--name <name>", "its new name")
    .option("--description <text>", "what it is about, in Markdown")
    .action(
      action(async (session: Session, id: string, flags: EditFlags) =>
        (await changes()).editRun(session, id, flags),
      ),
    );
  const moves = [
    ["archive", "put runs out of the way: --view archived shows them"],
    ["delete", "mark runs as deleted: --view deleted shows them until they are purged"],
    ["restore", "bring archived or deleted runs back"],
  ] as const;
  for (const [name, description] of moves) {
    runs
      .command(name)
      .argument("<runs...>", "the runs' ids")
      .description(description)
      .action(
        action(async (session: Session, ids: string[]) => (await changes()).moveRuns(session, ids, name)),
      );
  }
  runs
    .command("favourite")
    .argument("<runs...>", "the runs' ids")
    .description("mark runs as your favourites: --favourites lists them")
    .option("--off", "they are no longer")
    .action(
      action(async (session: Session, ids: string[], flags: { readonly off?: boolean }) =>
        (await changes()).favourRuns(session, ids, flags),
      ),
    );
  program
    .command("metrics")
    .argument("<run>", "a run's or job's id")
    .description("a run's metrics: a summary with a curve each, or every point of the keys given")
    .option("--key <name>", "every point of this metric (repeatable)", collect)
    .option("--rank <n>", "only of this rank", wholeNumber("the rank", 0, 4095))
    .option("-f, --follow", "print points as they come, until the run has ended")
    .addHelpText(
      "after",
      "\nExamples:\n  $ npx trainyard metrics RUN\n  $ npx trainyard metrics RUN --key loss > loss.tsv",
    )
    .action(
      action(async (session: Session, id: string, flags: MetricsFlags) =>
        (await load()).metrics(session, id, flags),
      ),
    );
};
