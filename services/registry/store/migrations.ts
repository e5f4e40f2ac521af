import type { Migration } from "@trainyard/store";
import type { Db, Document } from "mongodb";
import { type ModelMetric, seriesWith } from "../domain/logged-model.ts";
import { createModelPoints } from "./model-points.ts";

/** Steps that bring older documents to what this version reads, oldest first. */
export const migrations: readonly Migration[] = [
  { id: "2026-11-21-points-of-logged-models", up: moveModelPoints },
];

/** The points of a logged model, which lay in its document, move beside it. Again after a crash: what was moved by halves goes first. */
async function moveModelPoints(db: Db, signal: AbortSignal): Promise<void> {
  const models = db.collection<Document & { readonly _id: string }>("logged_models");
  const points = createModelPoints({ db });
  for await (const model of models.find({ schemaVersion: 1 })) {
    signal.throwIfAborted();
    const { _id: id, project, experimentId, metrics } = model;
    const known = metrics as readonly ModelMetric[]; // As version 1 has stored them.
    await db.collection("logged_model_points").deleteMany({ modelId: id });
    await points.append({ id, project, experimentId, pointCount: 0 }, known);
    await models.updateOne(
      { _id: id, schemaVersion: 1 },
      {
        $set: { schemaVersion: 2, series: [...seriesWith([], known)], pointCount: known.length },
        $unset: { metrics: "" },
      },
    );
  }
}
