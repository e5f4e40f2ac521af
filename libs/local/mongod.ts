import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { findMongod } from "./find-program.ts";
import { freePort } from "./free-port.ts";
import { ensureMongodUser, isAnswering, type MongodUser, mongodRootName } from "./mongod-admin.ts";
import { prepareMongod } from "./prepare-mongod.ts";
import { makePrivateFolder, readIfExists, readOrCreate, writeFileWhole } from "./private-file.ts";
import { ServerProcess } from "./server-process.ts";

/** What a mongod needs to start; everything else it keeps in `dir` itself. */
export interface MongodOptions {
  /** Data, log, key file, root password and port live here; starting again on it finds them. */
  readonly dir: string;
  /** Left out: the port of the last start in this folder, or a free one. */
  readonly port?: number;
  readonly users?: readonly MongodUser[];
  readonly program?: string;
  readonly dieWithParent?: boolean;
}

/** A running mongod of this machine: one member, access control on, only on loopback. */
export interface Mongod {
  readonly name: "mongod";
  readonly port: number;
  readonly logFile: string;
  /** The user that may do everything, for tests and clean-up. Services get `uriOf`. */
  readonly rootUri: string;
  pid(): number | undefined;
  uriOf(user: MongodUser): string;
  addUser(user: MongodUser): Promise<void>;
  /** For chaos: ends it hard or softly, and waits until it is gone. The data stays. */
  kill(signal: NodeJS.Signals): Promise<void>;
  /** Starts it again (stopping it first if need be) on the same port and data. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

/** The connection string of that user; `member` is host and port as the replica set knows them. */
export function mongodUri(member: string, user: MongodUser): string {
  const credentials = `${encodeURIComponent(user.name)}:${encodeURIComponent(user.password)}`;
  return `mongodb://${credentials}@${member}/${user.database}?replicaSet=rs0&authSource=${user.database}`;
}

function mongodArguments(dir: string, port: number): string[] {
  return [
    ...["--dbpath", join(dir, "data"), "--port", String(port), "--bind_ip", "127.0.0.1", "--nounixsocket"],
    ...["--replSet", "rs0", "--auth", "--keyFile", join(dir, "key"), "--quiet"],
    // Small, for a laptop: the databases hold records, not data sets.
    ...["--wiredTigerCacheSizeGB", "0.25", "--oplogSize", "990"],
    // A lone member has nobody to hand over to: do not wait for that at a stop.
    ...["--setParameter", "shutdownTimeoutMillisForSignaledShutdown=100"],
    ...["--setParameter", "diagnosticDataCollectionEnabled=false"],
    // A client that is killed in mid-transaction leaves its locks behind for this long (60 s by default), which has to be
    // shorter than what others' transactions are tried again for.
    ...["--setParameter", "transactionLifetimeLimitSeconds=5"],
  ];
}

/** Makes what mongod reads at its start (data folder, key file), and the root user's password, which it gives. */
export function prepareMongodFolder(dir: string): string {
  makePrivateFolder(join(dir, "data"));
  readOrCreate(join(dir, "key"), () => randomBytes(512).toString("base64"));
  return readOrCreate(join(dir, "root-password"), () => randomBytes(24).toString("hex"));
}

/** Starts mongod in that folder and waits until it takes writes. Idempotent over restarts of the same folder. */
export async function startMongod(options: MongodOptions): Promise<Mongod> {
  const { dir } = options;
  const rootPassword = prepareMongodFolder(dir);
  const port = options.port ?? Number(readIfExists(join(dir, "port")) ?? (await freePort()));
  writeFileWhole(join(dir, "port"), String(port));
  const address = `127.0.0.1:${port}`;
  const server = new ServerProcess({
    name: "mongod",
    program: options.program ?? findMongod(),
    args: mongodArguments(dir, port),
    dir,
    host: "127.0.0.1",
    port,
    readyTimeoutMs: 60_000,
    stopTimeoutMs: 20_000,
    isReady: () => isAnswering(address),
    ...(options.dieWithParent === undefined ? {} : { dieWithParent: options.dieWithParent }),
  });
  const start = async () => {
    await server.start();
    await prepareMongod({ address, member: address, rootPassword });
  };
  await start();
  const addUser = (user: MongodUser) => ensureMongodUser(address, rootPassword, user);
  for (const user of options.users ?? []) await addUser(user);
  return {
    name: "mongod",
    port,
    logFile: server.logFile,
    rootUri: mongodUri(address, { name: mongodRootName, password: rootPassword, database: "admin" }),
    pid: () => server.pid,
    uriOf: (user) => mongodUri(address, user),
    addUser,
    kill: (signal) => server.kill(signal),
    restart: async () => {
      await server.stop();
      await start();
    },
    stop: () => server.stop(),
  };
}
