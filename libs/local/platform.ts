import { resolve } from "node:path";
import type { JoinedNode } from "./joined-nodes.ts";
import type { Mongod } from "./mongod.ts";
import type { NatsServer } from "./nats-server.ts";
import { PlatformFolder } from "./platform-folder.ts";
import { decideHosts, decidePorts, type WantedPorts } from "./platform-ports.ts";
import { makePrivateFolder } from "./private-file.ts";
import type { BusUserName, Hosts, Ports, ServiceName } from "./service-names.ts";

/** How a platform's state folder is prepared. */
export interface PlatformOptions {
  /**
   * "default": the well-known ports; "free": ones that nothing listens on, for tests; or some of them given. What a
   * folder was first prepared with stays, except for ports given here.
   */
  readonly ports?: WantedPorts;
  /** The address that services and the bus listen on; loopback unless told. The database never leaves loopback. */
  readonly listenHost?: string;
  /**
   * Where parts are that do not run on this machine's loopback, such as containers; what a folder was first prepared with
   * stays unless given again.
   */
  readonly hosts?: Hosts;
  /** The blob store, where it is not the folder's own `blobs/`. It is for whoever starts the platform to give it each time. */
  readonly blobUrl?: string | undefined;
}

/** One node of the fleet as the platform knows it before its agent has ever spoken. */
export interface AgentRecord {
  readonly nodeId: string;
  readonly slots: number;
  readonly port: number;
}

/** With `dieWithParent` a server does not outlive this process, however that ends. */
export interface StartServersOptions {
  readonly dieWithParent?: boolean;
}

/** The two servers that everything else stands on. */
export interface PlatformServers {
  readonly nats: NatsServer;
  readonly mongod: Mongod;
  stop(): Promise<void>;
}

/**
 * A platform's state folder on this machine: secrets, ports, data. Everything in it is made once and found again by the
 * next start; losing it loses the platform's identity and records.
 */
export interface Platform {
  readonly dir: string;
  readonly ports: Ports;
  readonly natsUrl: string;
  readonly agents: readonly AgentRecord[];
  /** Where a service answers RPC and HTTP. */
  url(service: ServiceName): string;
  /** The whole environment (TRAINYARD_*) that the service's `main.ts` needs; merge it over PATH and the like. */
  serviceEnv(service: ServiceName): Record<string, string>;
  serviceEnv(service: "worker-agent", agent: { readonly nodeId: string }): Record<string, string>;
  /** Adds a node (or changes its slots): key, bus user, folder. A bus that runs takes it in at once. */
  addAgent(nodeId: string, options?: { readonly slots?: number }): Promise<AgentRecord>;
  /** Lets a node of another machine in, by its public keys, or replaces them: services and a bus that runs believe them at once. */
  admitNode(node: JoinedNode): Promise<{ readonly jwks: string }>;
  /** The seed file of a bus user that belongs to no service. */
  seedFile(user: BusUserName): string;
  startServers(options?: StartServersOptions): Promise<PlatformServers>;
  startNats(options?: StartServersOptions): Promise<NatsServer>;
  startMongod(options?: StartServersOptions): Promise<Mongod>;
  /** For servers that something else starts: writes what they read, `nats/nats.conf` and `mongod/key`, and makes their data folders. */
  writeServerFiles(): Promise<void>;
  /** For a mongod that something else started, reached on loopback here: makes its replica set and users. Idempotent. */
  prepareMongod(): Promise<void>;
}

/** Prepares the folder (made if missing) and says how to run every part on it. Starts nothing. */
export async function preparePlatform(dir: string, options: PlatformOptions = {}): Promise<Platform> {
  const root = resolve(dir);
  makePrivateFolder(root);
  const ports = await decidePorts(root, options.ports);
  return new PlatformFolder(root, {
    ports,
    hosts: decideHosts(root, options.hosts),
    listenHost: options.listenHost ?? "127.0.0.1",
    blobUrl: options.blobUrl,
  });
}
