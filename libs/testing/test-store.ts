import { randomBytes } from "node:crypto";
import { openStore, type Store } from "@trainyard/store";
import { MongoClient } from "mongodb";
import { atFileEnd } from "./cleanup.ts";
import { testLogger } from "./test-logger.ts";

/** A database of a test's own, with a user that may read and write it and nothing else, as services have. */
export interface TestDatabase {
  readonly uri: string;
  readonly database: string;
}

async function rootUri(): Promise<string> {
  const { inject } = await import("vitest");
  const uri = inject("mongodRootUri");
  if (uri === undefined) throw new Error("no mongod runs for this project: name the file *.int.test.ts");
  return uri;
}

/** A fresh, empty database on the run's mongod; dropped when the test file ends. */
export async function testDatabase(): Promise<TestDatabase> {
  const uri = new URL(await rootUri());
  const database = `test_${randomBytes(8).toString("hex")}`;
  const password = randomBytes(12).toString("hex");
  const root = new MongoClient(uri.href, { maxPoolSize: 1 });
  await root
    .db(database)
    .command({ createUser: "tester", pwd: password, roles: [{ role: "readWrite", db: database }] });
  atFileEnd(async () => {
    try {
      await root.db(database).command({ dropUser: "tester" });
      await root.db(database).dropDatabase();
    } finally {
      await root.close();
    }
  });
  return {
    database,
    uri: `mongodb://tester:${password}@${uri.host}/${database}?replicaSet=rs0&authSource=${database}`,
  };
}

/** A store on a fresh database; closed when the test file ends. */
export async function testStore(): Promise<Store> {
  const store = await openStore({ ...(await testDatabase()), logger: testLogger("test-store") });
  atFileEnd(() => store.close());
  return store;
}
