import { DomainError } from "@trainyard/domain";
import type { PageQuery } from "@trainyard/service";
import { decodePageToken, encodePageToken, type Json, type Store, type Tx } from "@trainyard/store";
import type { Evaluation } from "../domain/evaluation.ts";
import { collections, type EvaluationDocument, fromDocument, toDocument } from "./documents.ts";
import { session } from "./session.ts";

/** One page of a list, and the token of the next (empty after the last). */
export interface Page<T> {
  readonly items: readonly T[];
  readonly nextPageToken: string;
}

/** Which evaluations to list. */
export interface EvaluationQuery {
  readonly project: string;
  readonly model?: string;
  readonly modelVersionId?: string;
}

/** Evaluations, and what is due for them. */
export class EvaluationRepository {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  get #evaluations() {
    return this.#store.collection<EvaluationDocument>(collections.evaluations);
  }

  async find(id: string, tx?: Tx): Promise<Evaluation | undefined> {
    const found = await this.#evaluations.findOne({ _id: id }, session(tx));
    return found === null ? undefined : fromDocument<Evaluation>(found);
  }

  async get(project: string, id: string): Promise<Evaluation> {
    const evaluation = await this.find(id);
    if (evaluation !== undefined && evaluation.project === project) return evaluation;
    throw new DomainError(
      "not_found",
      "EVALUATION_NOT_FOUND",
      `There is no evaluation ${JSON.stringify(id.slice(0, 80))} in project ${project}.`,
    );
  }

  async findAutomatic(modelVersionId: string, tx: Tx): Promise<Evaluation | undefined> {
    const found = await this.#evaluations.findOne({ modelVersionId, automatic: true }, session(tx));
    return found === null ? undefined : fromDocument<Evaluation>(found);
  }

  /** Newest first. */
  async list(which: EvaluationQuery, page: PageQuery): Promise<Page<Evaluation>> {
    const query: Json = { list: "evaluations", ...which };
    const after = decodePageToken(page.token, query);
    const found = await this.#evaluations
      .find({ ...which, ...(typeof after === "string" ? { _id: { $lt: after } } : {}) })
      .sort({ _id: -1 })
      .limit(page.size + 1)
      .toArray();
    const items = found.slice(0, page.size);
    const last = items.at(-1);
    const more = found.length > page.size && last !== undefined;
    return {
      items: items.map((document) => fromDocument<Evaluation>(document)),
      nextPageToken: more ? encodePageToken(query, last._id) : "",
    };
  }

  async *export(): AsyncGenerator<Evaluation> {
    for await (const document of this.#evaluations.find().sort({ _id: 1 }))
      yield fromDocument<Evaluation>(document);
  }

  /** What the worker has to do now, longest due first. */
  async due(now: Date, limit: number): Promise<readonly Evaluation[]> {
    const found = await this.#evaluations
      .find({ dueAt: { $lte: now } })
      .sort({ dueAt: 1 })
      .limit(limit)
      .toArray();
    return found.map((document) => fromDocument<Evaluation>(document));
  }

  async insert(evaluation: Evaluation, tx: Tx): Promise<void> {
    await this.#evaluations.insertOne(toDocument(evaluation), { session: tx.session });
  }

  /** Writes an evaluation that was changed by one step. False when somebody else has changed it meanwhile: then nothing is written. */
  async save(evaluation: Evaluation, tx: Tx): Promise<boolean> {
    const { _id, ...rest } = toDocument(evaluation);
    const { modifiedCount } = await this.#evaluations.replaceOne(
      { _id, version: evaluation.version - 1 },
      rest,
      { session: tx.session },
    );
    return modifiedCount === 1;
  }

  /** Holds the dataset version that the job will ask for; the first one to say so decides. Returns what is held. */
  async holdDatasetVersion({ id }: Evaluation, datasetVersion: string): Promise<string> {
    await this.#evaluations.updateOne({ _id: id, datasetVersion: "" }, { $set: { datasetVersion } });
    return (await this.find(id))?.datasetVersion ?? datasetVersion;
  }

  /** Puts what is due off, after a try that failed; nothing that others see changes. */
  async putOff({ id, version, tries }: Evaluation, dueAt: Date): Promise<void> {
    await this.#evaluations.updateOne({ _id: id, version }, { $set: { dueAt, tries: tries + 1 } });
  }
}
