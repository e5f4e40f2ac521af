import { DomainError, newId } from "@trainyard/domain";
import type { Store, Tx } from "@trainyard/store";
import type { Filter } from "mongodb";
import type { Dataset, DatasetVersion } from "../domain/dataset-version.ts";
import type { Known } from "../domain/next-version.ts";
import {
  collections,
  type DatasetDocument,
  type DatasetVersionDocument,
  fromDocument,
  toDocument,
} from "./documents.ts";

/** Which dataset. */
export interface DatasetName {
  readonly project: string;
  readonly name: string;
}

/** Datasets and their versions: the only user of the service's database. */
export class DatasetRepository {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  get #datasets() {
    return this.#store.collection<DatasetDocument>(collections.datasets);
  }

  get #versions() {
    return this.#store.collection<DatasetVersionDocument>(collections.versions);
  }

  async findDataset({ project, name }: DatasetName, tx?: Tx): Promise<Dataset | undefined> {
    const found = await this.#datasets.findOne({ project, name }, session(tx));
    return found === null ? undefined : fromDocument<Dataset>(found);
  }

  /** By semantic version or id, whatever its state. */
  async findVersion(
    { project, name }: DatasetName,
    version: string,
    tx?: Tx,
  ): Promise<DatasetVersion | undefined> {
    const filter: Filter<DatasetVersionDocument> = version.startsWith("dsv_")
      ? { _id: version, project, ...(name === "" ? {} : { name }) }
      : { project, name, version };
    const found = await this.#versions.findOne(filter, session(tx));
    return found === null ? undefined : fromDocument<DatasetVersion>(found);
  }

  /** The newest, of all or of those in a state. */
  async newest(
    { project, name }: DatasetName,
    state?: DatasetVersion["state"],
  ): Promise<DatasetVersion | undefined> {
    const filter = { project, name, ...(state === undefined ? {} : { state }) };
    const found = await this.#versions.findOne(filter, { sort: { number: -1 } });
    return found === null ? undefined : fromDocument<DatasetVersion>(found);
  }

  /** Some version with this schema, the newest. */
  async withSchema({ project, name }: DatasetName, schemaHash: string): Promise<DatasetVersion | undefined> {
    const found = await this.#versions.findOne({ project, name, schemaHash }, { sort: { number: -1 } });
    return found === null ? undefined : fromDocument<DatasetVersion>(found);
  }

  /** What the choice of a next version looks at, in the order of registration. */
  async known({ project, name }: DatasetName, tx: Tx): Promise<readonly Known[]> {
    const fields = {
      contentHash: 1,
      contractHash: 1,
      format: 1,
      version: 1,
      schemaHash: 1,
      state: 1,
    } as const;
    const found = await this.#versions
      .find({ project, name }, { ...session(tx), projection: fields })
      .sort({ number: 1 })
      .toArray();
    return found.map(({ _id, ...rest }) => ({ ...rest, id: _id }));
  }

  /** Datasets after a name, by name. */
  async datasets(project: string, after: string | undefined, limit: number): Promise<readonly Dataset[]> {
    const filter = { project, ...(after === undefined ? {} : { name: { $gt: after } }) };
    const found = await this.#datasets.find(filter).sort({ name: 1 }).limit(limit).toArray();
    return found.map((document) => fromDocument<Dataset>(document));
  }

  /** Versions before a number, newest first. */
  async versions(
    { project, name }: DatasetName,
    before: number | undefined,
    limit: number,
  ): Promise<readonly DatasetVersion[]> {
    const filter = { project, name, ...(before === undefined ? {} : { number: { $lt: before } }) };
    const found = await this.#versions.find(filter).sort({ number: -1 }).limit(limit).toArray();
    return found.map((document) => fromDocument<DatasetVersion>(document));
  }

  /** Every version, oldest first. */
  async *all(project: string | undefined): AsyncGenerator<DatasetVersion> {
    const filter = project === undefined ? {} : { project };
    for await (const document of this.#versions.find(filter).sort({ _id: 1 })) {
      yield fromDocument<DatasetVersion>(document);
    }
  }

  /** Counts one more version, by which two registrations of one dataset come after one another. Gives its number. */
  async count({ project, name }: DatasetName, actor: string, now: Date, tx: Tx): Promise<number> {
    const existing = await this.findDataset({ project, name }, tx);
    if (existing === undefined) {
      const dataset: Dataset = {
        id: newId("ds"),
        project,
        name,
        versionCount: 1,
        version: 1,
        createdBy: actor,
        createdAt: now,
      };
      await this.#datasets.insertOne(toDocument(dataset), session(tx));
      return 1;
    }
    await this.#datasets.updateOne(
      { _id: existing.id },
      { $inc: { versionCount: 1, version: 1 } },
      session(tx),
    );
    return existing.versionCount + 1;
  }

  async insert(version: DatasetVersion, tx: Tx): Promise<void> {
    await this.#versions.insertOne(toDocument(version), session(tx));
  }

  /** Stores a change of state: compare-and-set on the version of the aggregate. */
  async save(version: DatasetVersion, tx: Tx): Promise<void> {
    const { _id, ...rest } = toDocument(version);
    const { matchedCount } = await this.#versions.replaceOne(
      { _id, aggregateVersion: version.aggregateVersion - 1 },
      rest,
      session(tx),
    );
    if (matchedCount === 1) return;
    throw new DomainError(
      "aborted",
      "DATASET_VERSION_CHANGED",
      `${version.name} ${version.version} was changed by somebody else at the same moment; try again.`,
    );
  }
}

function session(tx: Tx | undefined) {
  return tx === undefined ? {} : { session: tx.session };
}
