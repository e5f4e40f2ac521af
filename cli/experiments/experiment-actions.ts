import { randomUUID } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import { tracking } from "@trainyard/contracts";
import { collectPages } from "../client/collect-pages.ts";
import { word } from "../follow/words.ts";
import { parseTags } from "../runs/change-runs.ts";
import type { Session } from "../session.ts";
import { fields } from "../terminal/fields.ts";
import { style } from "../terminal/style.ts";

/** The options of `experiments list`. */
export interface ListFlags {
  readonly filter?: string;
  readonly orderBy?: readonly string[];
  readonly view: "active" | "deleted" | "all";
  readonly limit: number;
}

const views = {
  active: tracking.LifecycleView.ACTIVE,
  deleted: tracking.LifecycleView.DELETED,
  all: tracking.LifecycleView.ALL,
} as const;

/** Lists experiments. */
export async function listExperiments(session: Session, flags: ListFlags): Promise<void> {
  const { experiments: client } = await session.clients();
  const search = {
    filter: flags.filter ?? "",
    orderBy: [...(flags.orderBy ?? [])],
    view: views[flags.view],
  };
  const { items } = await collectPages(flags.limit, async (page) => {
    const response = await client.searchExperiments({ ...search, page });
    return { items: response.experiments, next: response.page?.nextPageToken ?? "" };
  });
  if (session.json) {
    const message = create(tracking.SearchExperimentsResponseSchema, { experiments: items });
    session.printMessage(tracking.SearchExperimentsResponseSchema, message);
    return;
  }
  const columns = [
    { title: "experiment", cell: ({ id }: tracking.Experiment) => id },
    { title: "name", cell: ({ name }: tracking.Experiment) => name },
    { title: "owner", cell: ({ owner }: tracking.Experiment) => owner },
    { title: "changed", cell: ({ updatedAt }: tracking.Experiment) => session.time(updatedAt) },
    { title: "shown", cell: ({ lifecycle }: tracking.Experiment) => word(tracking.Lifecycle, lifecycle) },
    { title: "about", cell: ({ description }: tracking.Experiment) => description.split("\n")[0] ?? "" },
  ];
  session.printTable(columns, items, "No experiment is like that. The first run that names one makes it.");
}

/** Shows one experiment. */
export async function showExperiment(session: Session, experiment: string): Promise<void> {
  const { experiments } = await session.clients();
  print(session, (await experiments.getExperiment({ experiment })).experiment);
}

/** The options of `experiments create` and `experiments edit`. */
export interface TextFlags {
  readonly description?: string;
  readonly owner?: string;
  readonly tag?: readonly string[];
}

/** Makes an experiment. */
export async function createExperiment(session: Session, name: string, flags: TextFlags): Promise<void> {
  const { tracking: client } = await session.clients();
  const response = await client.createExperiment({
    requestId: randomUUID(),
    name,
    description: flags.description ?? "",
    owner: flags.owner ?? "",
    tags: parseTags(flags.tag ?? []),
  });
  print(session, response.experiment);
}

/** Renames an experiment. */
export async function renameExperiment(session: Session, experiment: string, name: string): Promise<void> {
  const { experiments } = await session.clients();
  const response = await experiments.updateExperiment({ requestId: randomUUID(), experiment, name });
  print(session, response.experiment);
}

/** Describes, tags or hands over an experiment. */
export async function editExperiment(session: Session, experiment: string, flags: TextFlags): Promise<void> {
  const { experiments } = await session.clients();
  const { description, owner, tag = [] } = flags;
  const tags = parseTags(tag);
  if (tag.length > 0) await experiments.setExperimentTags({ requestId: randomUUID(), experiment, tags });
  if (description !== undefined || owner !== undefined) {
    await experiments.updateExperiment({
      requestId: randomUUID(),
      experiment,
      ...(description === undefined ? {} : { description }),
      ...(owner === undefined ? {} : { owner }),
    });
  }
  await showExperiment(session, experiment);
}

/** Deletes an experiment with its runs, or brings it back. */
export async function moveExperiment(
  session: Session,
  experiment: string,
  to: "delete" | "restore",
): Promise<void> {
  const { experiments } = await session.clients();
  const call = to === "delete" ? experiments.deleteExperiment : experiments.restoreExperiment;
  print(session, (await call({ requestId: randomUUID(), experiment })).experiment);
}

function print(session: Session, experiment: tracking.Experiment | undefined): void {
  if (experiment === undefined) throw new Error("tracking answered without an experiment");
  if (session.json) {
    session.printMessage(tracking.ExperimentSchema, experiment);
    return;
  }
  session.print(`${style.bold(experiment.name)}  ${experiment.id}`);
  session.print(
    fields([
      ["about", experiment.description],
      ["owner", experiment.owner],
      ["created", `${session.time(experiment.createdAt)} by ${experiment.createdBy}`],
      ["changed", session.time(experiment.updatedAt)],
      ["shown", word(tracking.Lifecycle, experiment.lifecycle)],
      ...Object.entries(experiment.tags).map(([key, value]): [string, string] => [`tag ${key}`, value]),
    ]),
  );
}
