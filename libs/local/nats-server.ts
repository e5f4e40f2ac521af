import { readFileSync, statSync } from "node:fs";
import { createConnection } from "node:net";
import { join } from "node:path";
import { natsServerConfig } from "@trainyard/bus";
import { findNatsServer } from "./find-program.ts";
import { freePort } from "./free-port.ts";
import { poll } from "./poll.ts";
import { makePrivateFolder, readIfExists, writeFileWhole } from "./private-file.ts";
import { signalProcess } from "./process-identity.ts";
import { runningServer, ServerProcess } from "./server-process.ts";

const serverName = "nats-server";

/** A user of the bus with its public key and what it may publish and subscribe to. */
export type NatsUser = Parameters<typeof natsServerConfig>[0]["users"][number];

/** What a nats-server needs to start. */
export interface NatsServerOptions {
  /** Configuration, JetStream's files, log and port live here; starting again on it finds them. */
  readonly dir: string;
  /** Left out: the port of the last start in this folder, or a free one. */
  readonly port?: number;
  readonly host?: string;
  readonly users: readonly NatsUser[];
  readonly program?: string;
  readonly dieWithParent?: boolean;
}

/** A running nats-server of this machine, with JetStream and a user per service. */
export interface NatsServer {
  readonly name: "nats-server";
  readonly url: string;
  readonly port: number;
  readonly logFile: string;
  pid(): number | undefined;
  /** For chaos: ends it hard or softly, and waits until it is gone. The streams stay. */
  kill(signal: NodeJS.Signals): Promise<void>;
  /** Starts it again (stopping it first if need be) on the same port and data. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

/** True when the server greets a client: JetStream is open by then. */
function greets(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ host, port, timeout: 1000 });
    const end = (ready: boolean) => {
      socket.destroy();
      resolve(ready);
    };
    socket.once("data", (bytes) => end(bytes.toString("latin1").startsWith("INFO ")));
    socket.once("error", () => end(false));
    socket.once("timeout", () => end(false));
    socket.once("close", () => end(false));
  });
}

/** Starts nats-server in that folder and waits until it greets clients. Idempotent over restarts of the same folder. */
export async function startNatsServer(options: NatsServerOptions): Promise<NatsServer> {
  const { dir } = options;
  const host = options.host ?? "127.0.0.1";
  makePrivateFolder(join(dir, "data"));
  const port = options.port ?? Number(readIfExists(join(dir, "port")) ?? (await freePort(host)));
  writeFileWhole(join(dir, "port"), String(port));
  const configFile = writeConfig({ dir, host, port, users: options.users });
  const server = new ServerProcess({
    name: serverName,
    program: options.program ?? findNatsServer(),
    args: ["--config", configFile],
    dir,
    host,
    port,
    readyTimeoutMs: 30_000,
    stopTimeoutMs: 15_000,
    isReady: () => greets(host, port),
    ...(options.dieWithParent === undefined ? {} : { dieWithParent: options.dieWithParent }),
  });
  await server.start();
  return {
    name: "nats-server",
    url: `nats://${host}:${port}`,
    port,
    logFile: server.logFile,
    pid: () => server.pid,
    kill: (signal) => server.kill(signal),
    restart: async () => {
      await server.stop();
      await server.start();
    },
    stop: () => server.stop(),
  };
}

/** Where a nats-server runs, and for whom. */
interface NatsConfig {
  readonly dir: string;
  readonly host: string;
  readonly port: number;
  readonly users: readonly NatsUser[];
}

function writeConfig({ dir, host, port, users }: NatsConfig): string {
  const file = join(dir, "nats.conf");
  writeFileWhole(file, natsServerConfig({ host, port, storeDir: join(dir, "data"), users: [...users] }));
  return file;
}

/**
 * Writes the configuration with these users; a server that runs on the folder, whoever started it, reads it at once.
 * Resolves when the users are in force, by the server's own word in its log.
 */
export async function setNatsUsers(config: NatsConfig): Promise<void> {
  writeConfig(config);
  const running = runningServer(config.dir, serverName);
  if (running === undefined) return;
  const logFile = join(config.dir, `${serverName}.log`);
  const before = statSync(logFile).size;
  signalProcess(running, "SIGHUP");
  await poll("nats-server configuration reloaded", 10_000, () => {
    const since = readFileSync(logFile).subarray(before).toString("utf8");
    const failure = /\[ERR\].*reload.*/i.exec(since);
    if (failure !== null) throw new Error(`nats-server refused its new configuration: ${failure[0]}`);
    return since.includes("Reloaded server configuration");
  });
}
