import { randomUUID } from "node:crypto";
import { registry } from "@trainyard/contracts";
import { DomainError } from "@trainyard/domain";
import { collectPages } from "../client/collect-pages.ts";
import { retryUnavailable } from "../client/retry.ts";
import { namedVersion } from "../datasets/named-version.ts";
import { word } from "../follow/words.ts";
import type { Session } from "../session.ts";
import { style } from "../terminal/style.ts";
import type { Column } from "../terminal/table.ts";
import { gateWord, modelVersionText, paintStage } from "./model-text.ts";

const { Stage } = registry;

/** Lists the models. */
export async function listModels(session: Session, flags: { readonly limit: number }): Promise<void> {
  const { registry: client } = await session.clients();
  const { items } = await collectPages(flags.limit, async (page) => {
    const response = await client.listModels({ page });
    return { items: response.models, next: response.page?.nextPageToken ?? "" };
  });
  if (session.json) {
    session.printMessage(registry.ListModelsResponseSchema, {
      $typeName: "trainyard.registry.v1.ListModelsResponse",
      models: items,
    });
    return;
  }
  const columns: Column<registry.Model>[] = [
    { title: "model", cell: ({ name }) => name },
    { title: "champion", cell: ({ champion }) => champion?.version ?? "none" },
    { title: "versions", cell: ({ versionCount }) => String(versionCount) },
    { title: "promoted", cell: ({ champion }) => session.time(champion?.promotedAt) },
    { title: "by", cell: ({ champion }) => champion?.promotedBy ?? "" },
  ];
  session.printTable(columns, items, "No models yet. A job that names a model makes a version of it.");
}

/** Shows a model's versions, or one of them. */
export async function showModel(session: Session, text: string): Promise<void> {
  const { name, version } = namedVersion(text, "");
  const { registry: client } = await session.clients();
  if (version !== "") {
    const { modelVersion } = await client.getModelVersion({ model: name, version });
    printVersion(session, modelVersion);
    return;
  }
  // Asked for first: a name that nobody has is an error, not an empty list.
  await client.getModel({ name });
  const response = await client.listModelVersions({ model: name, page: { pageSize: 500 } });
  if (session.json) {
    session.printMessage(registry.ListModelVersionsResponseSchema, response);
    return;
  }
  const columns: Column<registry.ModelVersion>[] = [
    { title: "version", cell: (one) => one.version },
    { title: "number", cell: (one) => String(one.number) },
    {
      title: "stage",
      cell: (one) => word(Stage, one.stage),
      paint: (text, one) => paintStage(text, one.stage),
    },
    { title: "gate", cell: gateWord },
    { title: "submitted by", cell: (one) => one.submittedBy },
    { title: "created", cell: (one) => session.time(one.createdAt) },
    { title: "run", cell: (one) => one.runId },
  ];
  session.printTable(columns, response.modelVersions, `No versions of ${name}.`);
}

/** Lists a model's stage changes. */
export async function modelHistory(
  session: Session,
  model: string,
  flags: { readonly limit: number },
): Promise<void> {
  const { registry: client } = await session.clients();
  const { items } = await collectPages(flags.limit, async (page) => {
    const response = await client.listStageChanges({ model, page });
    return { items: response.changes, next: response.page?.nextPageToken ?? "" };
  });
  if (session.json) {
    session.printMessage(registry.ListStageChangesResponseSchema, {
      $typeName: "trainyard.registry.v1.ListStageChangesResponse",
      changes: items,
    });
    return;
  }
  const columns: Column<registry.StageChange>[] = [
    { title: "when", cell: ({ at }) => session.time(at) },
    { title: "version", cell: ({ version }) => version },
    { title: "from", cell: ({ from }) => (from === Stage.UNSPECIFIED ? "" : word(Stage, from)) },
    { title: "to", cell: ({ to }) => word(Stage, to), paint: (text, { to }) => paintStage(text, to) },
    { title: "by", cell: ({ by }) => by },
    { title: "why", cell: ({ reason }) => reason },
  ];
  session.printTable(columns, items, `Nothing has happened to ${model} yet.`);
}

/** The options of `approve`. */
export interface ApproveFlags {
  readonly comment?: string;
}

/** Approves a version for champion. */
export async function approve(
  session: Session,
  model: string,
  version: string | undefined,
  flags: ApproveFlags,
): Promise<void> {
  const named = versionOf(model, version);
  const { registry: client } = await session.clients();
  const request = {
    requestId: randomUUID(),
    model: named.name,
    version: named.version,
    stage: Stage.CHAMPION,
    comment: flags.comment ?? "",
  };
  const response = await retryUnavailable(() => client.approveModelVersion(request));
  if (session.json) {
    session.printMessage(registry.ApproveModelVersionResponseSchema, response);
    return;
  }
  const label = `${response.modelVersion?.model}@${response.modelVersion?.version}`;
  session.print(
    response.transitioned ? `${label} is approved and ${style.good("champion")}` : `${label} is approved`,
  );
}

/** The options of `models waive`. */
export interface WaiveFlags {
  readonly reason: string;
}

/** Answers for a version whose training data nothing has recorded. */
export async function waive(
  session: Session,
  model: string,
  version: string | undefined,
  { reason }: WaiveFlags,
): Promise<void> {
  const named = versionOf(model, version);
  const { registry: client } = await session.clients();
  const request = { requestId: randomUUID(), model: named.name, version: named.version, reason };
  const { modelVersion } = await retryUnavailable(() => client.waiveUntrackedData(request));
  printVersion(session, modelVersion);
}

/** The options of `promote`. */
export interface PromoteFlags {
  readonly stage: string;
  readonly reason?: string;
}

/** Moves a version to another stage. */
export async function promote(
  session: Session,
  model: string,
  version: string | undefined,
  flags: PromoteFlags,
): Promise<void> {
  const named = versionOf(model, version);
  const { registry: client } = await session.clients();
  const request = {
    requestId: randomUUID(),
    model: named.name,
    version: named.version,
    stage: stageOf(flags.stage),
    reason: flags.reason ?? "",
  };
  const { modelVersion } = await retryUnavailable(() => client.transitionModelVersion(request));
  printMoved(session, modelVersion);
}

/** The options of `rollback`. */
export interface RollbackFlags {
  readonly reason?: string;
}

/** Goes back to the previous champion. */
export async function rollback(session: Session, model: string, flags: RollbackFlags): Promise<void> {
  const { registry: client } = await session.clients();
  const request = { requestId: randomUUID(), model, reason: flags.reason ?? "" };
  const { champion } = await retryUnavailable(() => client.rollbackModel(request));
  printMoved(session, champion);
}

function printVersion(session: Session, version: registry.ModelVersion | undefined): void {
  if (version === undefined) throw new Error("the registry answered without a version");
  if (session.json) session.printMessage(registry.ModelVersionSchema, version);
  else session.print(modelVersionText(session, version));
}

function printMoved(session: Session, version: registry.ModelVersion | undefined): void {
  if (version === undefined || session.json) printVersion(session, version);
  else
    session.print(
      `${version.model}@${version.version} is ${paintStage(word(Stage, version.stage), version.stage)}`,
    );
}

function versionOf(model: string, version: string | undefined): { name: string; version: string } {
  return version === undefined ? namedVersion(model) : { name: model, version };
}

function stageOf(text: string): registry.Stage {
  const names = Object.entries(Stage).filter(
    (entry): entry is [string, registry.Stage] => typeof entry[1] === "number" && entry[1] !== 0,
  );
  const found = names.find(([name]) => name === text.toUpperCase());
  if (found !== undefined) return found[1];
  throw new DomainError(
    "invalid_argument",
    "STAGE_UNKNOWN",
    `--stage ${text}: expected one of ${names.map(([name]) => name.toLowerCase()).join(", ")}`,
  );
}
