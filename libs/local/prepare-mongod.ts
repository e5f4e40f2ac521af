import {
  createRoot,
  ensureMongodUser,
  hasRoot,
  initiateReplicaSet,
  isAnswering,
  isWritable,
  type MongodUser,
  moveReplicaSet,
} from "./mongod-admin.ts";
import { poll } from "./poll.ts";

/** A mongod that runs, and what it is to become. */
export interface MongodPreparation {
  /** Where it is reached now; on loopback, for the server lets nobody else make the first user. */
  readonly address: string;
  /** Host and port by which clients and the replica set shall know it. */
  readonly member: string;
  readonly rootPassword: string;
  readonly users?: readonly MongodUser[];
}

/**
 * Gives a running mongod its replica set, its root user and its users, and waits until it takes writes. Idempotent: each
 * step finds what an interrupted earlier run has done.
 */
export async function prepareMongod(preparation: MongodPreparation): Promise<void> {
  const { address, member, rootPassword, users = [] } = preparation;
  await poll("mongod answering", 30_000, () => isAnswering(address));
  if (await hasRoot(address, rootPassword)) {
    await moveReplicaSet(address, rootPassword, member);
  } else {
    await initiateReplicaSet(address, member).catch((error: unknown) => {
      // AlreadyInitialized: the last run was cut off between this step and the next.
      if (!(error instanceof Error && "codeName" in error && error.codeName === "AlreadyInitialized"))
        throw error;
    });
    await poll("mongod primary", 30_000, () => isWritable(address));
    await createRoot(address, rootPassword);
  }
  await poll("mongod writable", 30_000, () => isWritable(address));
  for (const user of users) await ensureMongodUser(address, rootPassword, user);
}
