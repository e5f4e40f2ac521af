/**
 * Stores each request as one small document, answers `{}` when it is durable, and prints its port: the least that a server
 * does which loses nothing that it has acknowledged. The database is told by TRAINYARD_MONGODB_URI.
 */
import { once } from "node:events";
import { createServer } from "node:http";
import { json } from "node:stream/consumers";
import { MongoClient } from "mongodb";

const client = await MongoClient.connect(process.env.TRAINYARD_MONGODB_URI ?? "");
const writeConcern = { w: "majority", journal: true } as const;
const points = client.db().collection("bench_points", { writeConcern });

const server = createServer(async (request, response) => {
  const { key, value, timestamp, step } = (await json(request)) as Readonly<Record<string, unknown>>;
  await points.insertOne({ key, value, timestamp, step });
  response.setHeader("content-type", "application/json");
  response.end("{}");
}).listen(0, "127.0.0.1");
await once(server, "listening");
const address = server.address();
if (address === null || typeof address === "string") throw new Error("the system gave no port");
console.log(address.port);
