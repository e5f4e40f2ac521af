import type { IndexSpec, Store, Tx } from "@trainyard/store";
import type { AnyBulkWriteOperation, Document } from "mongodb";
import type { ModelMetric } from "../domain/logged-model.ts";

/** Points of one document: adding one writes as many again, reading all takes a document for as many. */
const CHUNK_POINTS = 200;
/** Documents of one page: 4,000 points. */
export const PAGE_CHUNKS = 20;
export const PAGE_POINTS = PAGE_CHUNKS * CHUNK_POINTS;

/** Some of a model's points, in the order in which they came: the nth of a model lies in the chunk `n / CHUNK_POINTS`. */
interface ChunkDocument {
  /** `<model>:<number>` */
  readonly _id: string;
  readonly schemaVersion: 1;
  readonly project: string;
  readonly experimentId: string;
  readonly modelId: string;
  readonly number: number;
  readonly points: readonly ModelMetric[];
}

const name = "logged_model_points";

export const modelPointIndexes: readonly IndexSpec[] = [
  { collection: name, key: { modelId: 1, number: 1 }, name: "number", unique: true },
  { collection: name, key: { project: 1, experimentId: 1, "points.key": 1 }, name: "metric" },
];

/** Whose points they are. */
export interface PointOwner {
  readonly id: string;
  readonly project: string;
  readonly experimentId: string;
  /** Points that are stored already. */
  readonly pointCount: number;
}

/** The points of logged models: the only place that reads and writes them. */
export type ModelPoints = ReturnType<typeof createModelPoints>;

export function createModelPoints(store: Pick<Store, "db">) {
  const chunks = store.db.collection<ChunkDocument>(name);
  const inTx = (tx: Tx | undefined) => (tx === undefined ? {} : { session: tx.session });
  return {
    /** Adds points behind those that are there; the transaction has to write the model as well, so that no two of them count alike. */
    async append(owner: PointOwner, points: readonly ModelMetric[], tx?: Tx): Promise<void> {
      const writes = chunksOf(owner, points).map(
        ({ points: each, ...chunk }): AnyBulkWriteOperation<ChunkDocument> => ({
          updateOne: {
            filter: { _id: chunk._id },
            update: { $setOnInsert: chunk, $push: { points: { $each: [...each] } } },
            upsert: true,
          },
        }),
      );
      if (writes.length > 0) await chunks.bulkWrite(writes, inTx(tx));
    },

    /** All points of these models. */
    async of(modelIds: readonly string[], tx?: Tx): Promise<ReadonlyMap<string, readonly ModelMetric[]>> {
      const found = await chunks
        .find({ modelId: { $in: [...modelIds] } }, inTx(tx))
        .sort({ modelId: 1, number: 1 })
        .toArray();
      const byModel = Map.groupBy(found, ({ modelId }) => modelId);
      return new Map([...byModel].map(([id, its]) => [id, its.flatMap(({ points }) => points)]));
    },

    /** One page of a model's points, from this chunk on, and whether there are more. */
    async page(
      modelId: string,
      from: number,
    ): Promise<{ readonly points: readonly ModelMetric[]; readonly isLast: boolean }> {
      const found = await chunks
        .find({ modelId, number: { $gte: from } })
        .sort({ number: 1 })
        .limit(PAGE_CHUNKS + 1)
        .toArray();
      const shown = found.slice(0, PAGE_CHUNKS);
      return { points: shown.flatMap(({ points }) => points), isLast: found.length === shown.length };
    },

    /** The models of these experiments that have such a point. */
    async modelsWith(
      project: string,
      experimentIds: readonly string[],
      key: string,
      point: Document,
    ): Promise<readonly string[]> {
      const scope = { project, experimentId: { $in: [...experimentIds] }, "points.key": key };
      return await chunks.distinct("modelId", { ...scope, points: { $elemMatch: { key, ...point } } });
    },
  };
}

function chunksOf(
  { id, project, experimentId, pointCount }: PointOwner,
  points: readonly ModelMetric[],
): readonly ChunkDocument[] {
  const numbered = points.map((point, n) => ({ point, number: Math.floor((pointCount + n) / CHUNK_POINTS) }));
  return [...Map.groupBy(numbered, ({ number }) => number)].map(([number, its]) => ({
    ...{ _id: `${id}:${number}`, schemaVersion: 1, project, experimentId, modelId: id, number },
    points: its.map(({ point }) => point),
  }));
}
