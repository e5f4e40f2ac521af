import { type Db, MongoClient, MongoServerError } from "mongodb";

/** A user that may read and write one database, and nothing else. */
export interface MongodUser {
  readonly name: string;
  readonly password: string;
  readonly database: string;
}

/** The user that may do everything; only the code that starts the server uses it. */
export const mongodRootName = "root";

const userNotFound = 11;
const userAlreadyExists = 51003;

function hasCode(error: unknown, ...codes: number[]): boolean {
  return error instanceof MongoServerError && typeof error.code === "number" && codes.includes(error.code);
}

/** Runs `fn` with a short-lived direct connection; without a password the server's localhost exception is used. */
export async function withMongod<T>(
  address: string,
  rootPassword: string | undefined,
  fn: (admin: Db, client: MongoClient) => Promise<T>,
): Promise<T> {
  const client = new MongoClient(`mongodb://${address}/?directConnection=true`, {
    serverSelectionTimeoutMS: 1000,
    connectTimeoutMS: 1000,
    maxPoolSize: 2,
    ...(rootPassword === undefined
      ? {}
      : { auth: { username: mongodRootName, password: rootPassword }, authSource: "admin" }),
  });
  try {
    return await fn(client.db("admin"), client);
  } finally {
    await client.close();
  }
}

/** True when the server answers and takes writes. */
export async function isWritable(address: string): Promise<boolean> {
  try {
    return await withMongod(address, undefined, async (admin) => {
      const hello = await admin.command({ hello: 1 });
      return hello.isWritablePrimary === true;
    });
  } catch {
    return false;
  }
}

/** True when the server answers at all, also before it has a replica set. */
export async function isAnswering(address: string): Promise<boolean> {
  try {
    return await withMongod(address, undefined, async (admin) => (await admin.command({ ping: 1 })).ok === 1);
  } catch {
    return false;
  }
}

/** True when the root user exists with that password. */
export async function hasRoot(address: string, password: string): Promise<boolean> {
  try {
    return await withMongod(address, password, async (admin) => (await admin.command({ ping: 1 })).ok === 1);
  } catch (error) {
    if (hasCode(error, 18, 8000)) return false;
    throw error;
  }
}

/** Makes the one-member replica set, through the localhost exception of a server without users. */
export async function initiateReplicaSet(address: string, member: string): Promise<void> {
  await withMongod(address, undefined, (admin) =>
    admin.command({ replSetInitiate: { _id: "rs0", members: [{ _id: 0, host: member }] } }),
  );
}

/** Tells the replica set its member's address, after the port or the host name has changed. */
export async function moveReplicaSet(address: string, password: string, member: string): Promise<void> {
  await withMongod(address, password, async (admin) => {
    const { config } = await admin.command({ replSetGetConfig: 1 });
    if (config.members[0].host === member) return;
    config.members[0].host = member;
    config.version += 1;
    await admin.command({ replSetReconfig: config, force: true });
  });
}

/** Makes the root user, through the localhost exception. */
export async function createRoot(address: string, password: string): Promise<void> {
  await withMongod(address, undefined, (admin) =>
    admin.command({ createUser: mongodRootName, pwd: password, roles: ["root"] }),
  );
}

/** Makes the user or gives it that password: `readWrite` on its own database and no other right. */
export async function ensureMongodUser(
  address: string,
  rootPassword: string,
  user: MongodUser,
): Promise<void> {
  const roles = [{ role: "readWrite", db: user.database }];
  await withMongod(address, rootPassword, async (_admin, client) => {
    const db = client.db(user.database);
    try {
      await db.command({ updateUser: user.name, pwd: user.password, roles });
    } catch (error) {
      if (!hasCode(error, userNotFound)) throw error;
      await db.command({ createUser: user.name, pwd: user.password, roles }).catch((raced: unknown) => {
        if (!hasCode(raced, userAlreadyExists)) throw raced;
      });
    }
  });
}
