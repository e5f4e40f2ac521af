/**
 * Stores each request as one small document, answers `{}` when it is durable, and prints its port: the least that a server
 * does which loses nothing that it has acknowledged. The database is told by TRAINYARD_MONGODB_URI.
 */
import { json } from "node:stream/consumers";
import { MongoClient } from "mongodb";
import { serve } from "./serve.ts";

const client = await MongoClient.connect(process.env.TRAINYARD_MONGODB_URI ?? "");
const writeConcern = { w: "majority", journal: true } as const;
const points = client.db().collection("bench_points", { writeConcern });

await serve(async (request) => {
  const { key, value, timestamp, step } = (await json(request)) as Readonly<Record<string, unknown>>;
  await points.insertOne({ key, value, timestamp, step });
});
