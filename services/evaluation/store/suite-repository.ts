import { DomainError } from "@trainyard/domain";
import type { Store, Tx } from "@trainyard/store";
import type { Suite } from "../domain/suite.ts";
import { collections, fromDocument, type SuiteDocument, toDocument } from "./documents.ts";
import { session } from "./session.ts";

/** Suites and their revisions. */
export class SuiteRepository {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  get #suites() {
    return this.#store.collection<SuiteDocument>(collections.suites);
  }

  /** The newest revision. */
  async find(project: string, name: string, tx?: Tx): Promise<Suite | undefined> {
    const found = await this.#suites.findOne({ project, name }, { ...session(tx), sort: { revision: -1 } });
    return found === null ? undefined : fromDocument<Suite>(found);
  }

  async get(project: string, name: string, tx?: Tx): Promise<Suite> {
    const suite = await this.find(project, name, tx);
    if (suite !== undefined) return suite;
    throw new DomainError(
      "not_found",
      "SUITE_NOT_FOUND",
      `There is no evaluation suite ${name} in project ${project}. Apply its file first.`,
    );
  }

  async getRevision(project: string, name: string, revision: number): Promise<Suite> {
    const found = await this.#suites.findOne({ project, name, revision });
    if (found !== null) return fromDocument<Suite>(found);
    throw new DomainError(
      "not_found",
      "SUITE_NOT_FOUND",
      `There is no revision ${revision} of suite ${name} in project ${project}.`,
    );
  }

  /** Newest revisions, by name. */
  async list(project: string): Promise<readonly Suite[]> {
    const found = await this.#suites
      .aggregate<SuiteDocument>([
        { $match: { project } },
        { $sort: { project: 1, name: 1, revision: -1 } },
        { $group: { _id: "$name", newest: { $first: "$$ROOT" } } },
        { $replaceRoot: { newRoot: "$newest" } },
        { $sort: { name: 1 } },
      ])
      .toArray();
    return found.map((document) => fromDocument<Suite>(document));
  }

  async insert(suite: Suite, tx: Tx): Promise<void> {
    await this.#suites.insertOne(toDocument(suite), { session: tx.session });
  }
}
