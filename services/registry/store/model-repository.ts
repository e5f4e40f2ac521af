import { DomainError, newId } from "@trainyard/domain";
import type { PageQuery } from "@trainyard/service";
import { decodePageToken, encodePageToken, type Json, type Store, type Tx } from "@trainyard/store";
import type { Filter } from "mongodb";
import type { Model, ModelVersion, StageChange } from "../domain/model-version.ts";
import type { Stage } from "../domain/stage.ts";
import {
  collections,
  fromDocument,
  type ModelDocument,
  type ModelVersionDocument,
  type StageChangeDocument,
  toDocument,
} from "./documents.ts";
import { createUnsettledFiles, type UnsettledFiles } from "./unsettled-files.ts";

/** One page of a list, and the token of the next (empty after the last). */
export interface Page<T> {
  readonly items: readonly T[];
  readonly nextPageToken: string;
}

/** Which versions to list. */
export interface VersionQuery {
  readonly project: string;
  readonly model?: string;
  readonly stage?: Stage;
  readonly runId?: string;
}

/** Models, their versions and history: the only user of the registry's database. */
export class ModelRepository {
  readonly #store: Store;
  /** Versions that were registered or removed and whose files are still to be held or given up. */
  readonly unsettled: UnsettledFiles;

  constructor(store: Store) {
    this.#store = store;
    this.unsettled = createUnsettledFiles(store);
  }

  get #models() {
    return this.#store.collection<ModelDocument>(collections.models);
  }

  get #versions() {
    return this.#store.collection<ModelVersionDocument>(collections.versions);
  }

  get #changes() {
    return this.#store.collection<StageChangeDocument>(collections.changes);
  }

  async findModel(project: string, name: string, tx?: Tx): Promise<Model | undefined> {
    const found = await this.#models.findOne({ project, name }, session(tx));
    return found === null ? undefined : fromDocument<Model>(found);
  }

  async getModel(project: string, name: string, tx?: Tx): Promise<Model> {
    const model = await this.findModel(project, name, tx);
    if (model !== undefined) return model;
    throw new DomainError("not_found", "MODEL_NOT_FOUND", `There is no model ${name} in project ${project}.`);
  }

  /** By id, running number, semantic version, "latest" or "champion". */
  async getVersion(project: string, name: string, version: string, tx?: Tx): Promise<ModelVersion> {
    const found = await this.#lookUp(project, name, version, tx);
    if (found !== null) return fromDocument<ModelVersion>(found);
    if (name !== "") await this.getModel(project, name, tx);
    throw new DomainError(
      "not_found",
      "MODEL_VERSION_NOT_FOUND",
      `There is no version ${version} of model ${name} in project ${project}; trainyard models show ${name} lists them.`,
    );
  }

  async #lookUp(
    project: string,
    model: string,
    version: string,
    tx?: Tx,
  ): Promise<ModelVersionDocument | null> {
    if (version.startsWith("mv_")) return this.#versions.findOne({ _id: version, project }, session(tx));
    const query: Filter<ModelVersionDocument> = { project, model };
    if (version === "latest") return this.#versions.findOne(query, { ...session(tx), sort: { number: -1 } });
    if (version === "champion") return this.#versions.findOne({ ...query, stage: "champion" }, session(tx));
    if (/^\d{1,9}$/.test(version))
      return this.#versions.findOne({ ...query, number: Number(version) }, session(tx));
    return this.#versions.findOne({ ...query, version }, session(tx));
  }

  async findVersionById(id: string, tx?: Tx): Promise<ModelVersion | undefined> {
    const found = id === "" ? null : await this.#versions.findOne({ _id: id }, session(tx));
    return found === null ? undefined : fromDocument<ModelVersion>(found);
  }

  async findVersionByRun(runId: string, tx?: Tx): Promise<ModelVersion | undefined> {
    const found = await this.#versions.findOne({ "origin.runId": runId }, session(tx));
    return found === null ? undefined : fromDocument<ModelVersion>(found);
  }

  /** The versions made of the same run, or else of the same logged model; none of a version by URI. */
  async versionsOfSource({
    project,
    origin,
    loggedModelId = "",
  }: {
    readonly project: string;
    readonly origin: { readonly runId: string };
    readonly loggedModelId?: string;
  }): Promise<readonly ModelVersion[]> {
    if (origin.runId === "" && loggedModelId === "") return [];
    const source =
      origin.runId === "" ? { "origin.runId": "", loggedModelId } : { "origin.runId": origin.runId };
    const found = await this.#versions.find({ project, ...source }).toArray();
    return found.map((document) => fromDocument<ModelVersion>(document));
  }

  async versionsOf(project: string, model: string, tx?: Tx): Promise<readonly ModelVersion[]> {
    const found = await this.#versions.find({ project, model }, session(tx)).toArray();
    return found.map((document) => fromDocument<ModelVersion>(document));
  }

  async listModels(project: string, page: PageQuery): Promise<Page<Model>> {
    const query: Json = { list: "models", project };
    const after = decodePageToken(page.token, query);
    const found = await this.#models
      .find({ project, ...(typeof after === "string" ? { name: { $gt: after } } : {}) })
      .sort({ name: 1 })
      .limit(page.size + 1)
      .toArray();
    return toPage(
      found,
      page.size,
      query,
      ({ name }) => name,
      (document) => fromDocument<Model>(document),
    );
  }

  async listVersions(which: VersionQuery, page: PageQuery): Promise<Page<ModelVersion>> {
    const query: Json = { list: "versions", ...which };
    const after = decodePageToken(page.token, query);
    const found = await this.#versions
      .find({
        project: which.project,
        ...(which.model === undefined ? {} : { model: which.model }),
        ...(which.stage === undefined ? {} : { stage: which.stage }),
        ...(which.runId === undefined ? {} : { "origin.runId": which.runId }),
        ...(typeof after === "string" ? { _id: { $lt: after } } : {}),
      })
      .sort({ _id: -1 })
      .limit(page.size + 1)
      .toArray();
    return toPage(
      found,
      page.size,
      query,
      ({ _id }) => _id,
      (document) => fromDocument<ModelVersion>(document),
    );
  }

  async listChanges(project: string, model: string, page: PageQuery): Promise<Page<StageChange>> {
    const query: Json = { list: "changes", project, model };
    const after = decodePageToken(page.token, query);
    const found = await this.#changes
      .find({ project, model, ...(typeof after === "string" ? { _id: { $lt: after } } : {}) })
      .sort({ _id: -1 })
      .limit(page.size + 1)
      .toArray();
    return toPage(
      found,
      page.size,
      query,
      ({ _id }) => _id,
      (document): StageChange => document,
    );
  }

  async *exportVersions(): AsyncGenerator<ModelVersion> {
    for await (const document of this.#versions.find().sort({ _id: 1 }))
      yield fromDocument<ModelVersion>(document);
  }

  /** Writes the model as changed by one step: compare-and-set on its version, so that two changes never build on one state. */
  async saveModel(model: Model, tx: Tx): Promise<void> {
    const { modifiedCount } = await this.#models.replaceOne(
      { _id: model.id, version: model.version - 1 },
      withoutId(toDocument({ ...model, updatedAt: new Date() })),
      { session: tx.session },
    );
    if (modifiedCount === 1) return;
    throw new DomainError(
      "aborted",
      "MODEL_CHANGED",
      `${model.name} was changed by somebody else at the same moment; try again.`,
    );
  }

  async insertModel(model: Model, tx: Tx): Promise<void> {
    await this.#models.insertOne(toDocument(model), { session: tx.session });
  }

  async insertVersion(version: ModelVersion, tx: Tx): Promise<void> {
    await this.#versions.insertOne(toDocument(version), { session: tx.session });
    await this.unsettled.note(version, tx);
  }

  async saveVersion(version: ModelVersion, tx: Tx): Promise<void> {
    await this.#versions.replaceOne(
      { _id: version.id },
      withoutId(toDocument({ ...version, updatedAt: new Date() })),
      {
        session: tx.session,
      },
    );
  }

  async deleteModel(model: Model, tx: Tx): Promise<void> {
    for (const version of await this.versionsOf(model.project, model.name, tx))
      await this.unsettled.note(version, tx);
    await this.#models.deleteOne({ _id: model.id }, { session: tx.session });
    await this.#versions.deleteMany({ project: model.project, model: model.name }, { session: tx.session });
  }

  async deleteVersion(version: ModelVersion, tx: Tx): Promise<void> {
    await this.#versions.deleteOne({ _id: version.id }, { session: tx.session });
    await this.unsettled.note(version, tx);
  }

  /** The versions of a model that takes another name, which are known by it, too. */
  async renameVersions(project: string, from: string, to: string, tx: Tx): Promise<void> {
    const { session } = tx;
    await this.#versions.updateMany({ project, model: from }, { $set: { model: to } }, { session });
    await this.#changes.updateMany({ project, model: from }, { $set: { model: to } }, { session });
  }

  async insertChange(change: StageChange, project: string, tx: Tx): Promise<void> {
    await this.#changes.insertOne(
      { ...change, _id: newId("evt"), schemaVersion: 1, project, createdAt: change.at, createdBy: change.by },
      { session: tx.session },
    );
  }
}

function session(tx: Tx | undefined) {
  return tx === undefined ? {} : { session: tx.session };
}

function withoutId<T extends { readonly _id: string }>({ _id, ...rest }: T): Omit<T, "_id"> {
  return rest;
}

function toPage<D, T>(
  found: readonly D[],
  size: number,
  query: Json,
  position: (document: D) => string,
  convert: (document: D) => T,
): Page<T> {
  const items = found.slice(0, size);
  const last = items.at(-1);
  const more = found.length > size && last !== undefined;
  return { items: items.map(convert), nextPageToken: more ? encodePageToken(query, position(last)) : "" };
}
