import { availableParallelism } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { natsPermissions } from "@trainyard/bus";
import { assertName, DomainError } from "@trainyard/domain";
import { checkoutRoot } from "./checkout.ts";
import { findPython, findUv } from "./find-program.ts";
import { freePort } from "./free-port.ts";
import { type JoinedNode, joinedJwk, joinedNodes, writeJoinedNode } from "./joined-nodes.ts";
import { type Mongod, mongodUri, prepareMongodFolder, startMongod } from "./mongod.ts";
import type { MongodUser } from "./mongod-admin.ts";
import { type NatsServer, type NatsUser, setNatsUsers, startNatsServer } from "./nats-server.ts";
import type { AgentRecord, Platform, PlatformServers, StartServersOptions } from "./platform.ts";
import { prepareMongod } from "./prepare-mongod.ts";
import { makePrivateFolder, readIfExists, writeFileWhole } from "./private-file.ts";
import {
  busCredential,
  databasePassword,
  type Jwk,
  publicJwk,
  secretsKeyFile,
  signingKeyFile,
} from "./secrets.ts";
import {
  type BusUserName,
  busUserNames,
  databaseOf,
  type Hosts,
  type Ports,
  type ServiceName,
  serviceNames,
} from "./service-names.ts";

/** Where the parts listen and how they reach each other. */
interface Network {
  readonly ports: Ports;
  readonly hosts: Hosts;
  readonly listenHost: string;
  readonly blobUrl: string | undefined;
}

/** The state folder as files; see `Platform` for what it promises. */
export class PlatformFolder implements Platform {
  readonly dir: string;
  readonly ports: Ports;
  readonly #hosts: Hosts;
  readonly #listenHost: string;
  readonly #blobUrl: string;

  constructor(dir: string, network: Network) {
    this.dir = dir;
    this.ports = network.ports;
    this.#hosts = network.hosts;
    this.#listenHost = network.listenHost;
    this.#blobUrl = network.blobUrl ?? pathToFileURL(join(dir, "blobs")).href;
    for (const folder of ["secrets", "nats", "mongod", "blobs", "agents"])
      makePrivateFolder(join(dir, folder));
    this.#writeKeySet();
  }

  get agents(): readonly AgentRecord[] {
    const text = readIfExists(join(this.dir, "agents.json"));
    // Written by addAgent only.
    return text === undefined ? [] : (JSON.parse(text) as AgentRecord[]);
  }

  get natsUrl(): string {
    return `nats://${this.#hosts.nats ?? this.#reachableHost}:${this.ports.nats}`;
  }

  url(service: ServiceName): string {
    return `http://${this.#hosts[service] ?? this.#reachableHost}:${this.ports[service]}`;
  }

  seedFile(user: BusUserName): string {
    return busCredential(this.#secrets(user)).seedFile;
  }

  serviceEnv(
    service: ServiceName | "worker-agent",
    agent?: { readonly nodeId: string },
  ): Record<string, string> {
    if (service === "worker-agent") return this.#agentEnv(this.#agent(agent?.nodeId ?? ""));
    const database = this.#databaseUser(service);
    return {
      ...this.#commonEnv(this.#secrets(service), service, this.ports[service]),
      TRAINYARD_MONGODB_URI: mongodUri(this.#mongodMember, database),
      TRAINYARD_MONGODB_DATABASE: database.database,
      ...(service === "scheduler"
        ? { TRAINYARD_SECRETS_KEY_FILE: secretsKeyFile(this.#secrets(service)) }
        : {}),
    };
  }

  async addAgent(nodeId: string, options: { readonly slots?: number } = {}): Promise<AgentRecord> {
    assertName("nodeId", nodeId);
    const others = this.agents.filter((agent) => agent.nodeId !== nodeId);
    const known = this.agents.find((agent) => agent.nodeId === nodeId);
    const record = {
      nodeId,
      slots: options.slots ?? known?.slots ?? Math.max(2, availableParallelism()),
      port: known?.port ?? (others.length === 0 ? this.ports.agent : await freePort()),
    };
    makePrivateFolder(join(this.dir, "agents", nodeId));
    writeFileWhole(join(this.dir, "agents.json"), `${JSON.stringify([...others, record], undefined, 2)}\n`);
    this.#writeKeySet();
    await setNatsUsers(this.#natsConfig());
    return record;
  }

  async admitNode(node: JoinedNode): Promise<{ readonly jwks: string }> {
    const own = this.agents.map(({ nodeId }) => nodeId);
    writeJoinedNode(this.dir, node, own);
    this.#writeKeySet();
    await setNatsUsers(this.#natsConfig());
    return { jwks: readIfExists(join(this.dir, "jwks.json")) ?? "" };
  }

  async startServers(options: StartServersOptions = {}): Promise<PlatformServers> {
    const [nats, mongod] = await Promise.all([this.startNats(options), this.startMongod(options)]);
    return { nats, mongod, stop: async () => void (await Promise.allSettled([nats.stop(), mongod.stop()])) };
  }

  startNats(options: StartServersOptions = {}): Promise<NatsServer> {
    return startNatsServer({ ...this.#natsConfig(), ...options });
  }

  startMongod(options: StartServersOptions = {}): Promise<Mongod> {
    return startMongod({
      dir: join(this.dir, "mongod"),
      port: this.ports.mongod,
      users: this.#databaseUsers(),
      ...options,
    });
  }

  async writeServerFiles(): Promise<void> {
    makePrivateFolder(join(this.dir, "nats/data"));
    await setNatsUsers(this.#natsConfig());
    prepareMongodFolder(join(this.dir, "mongod"));
  }

  prepareMongod(): Promise<void> {
    return prepareMongod({
      address: `127.0.0.1:${this.ports.mongod}`,
      member: this.#mongodMember,
      rootPassword: prepareMongodFolder(join(this.dir, "mongod")),
      users: this.#databaseUsers(),
    });
  }

  get #mongodMember(): string {
    return `${this.#hosts.mongod ?? "127.0.0.1"}:${this.ports.mongod}`;
  }

  #natsConfig() {
    return {
      dir: join(this.dir, "nats"),
      host: this.#listenHost,
      port: this.ports.nats,
      users: this.#natsUsers(),
    };
  }

  #databaseUsers(): MongodUser[] {
    return serviceNames.map((service) => this.#databaseUser(service));
  }

  get #reachableHost(): string {
    return ["0.0.0.0", "::", ""].includes(this.#listenHost) ? "127.0.0.1" : this.#listenHost;
  }

  #secrets(holder: string): string {
    return join(this.dir, "secrets", holder);
  }

  #agentSecrets(nodeId: string): string {
    return join(this.dir, "secrets", "agents", nodeId);
  }

  #agent(nodeId: string): AgentRecord {
    const record = this.agents.find((agent) => agent.nodeId === nodeId);
    if (record !== undefined) return record;
    throw new DomainError(
      "not_found",
      "NODE_UNKNOWN",
      `no node "${nodeId}" in ${this.dir}: add it with addAgent first`,
    );
  }

  #databaseUser(service: ServiceName): MongodUser {
    return {
      name: service,
      password: databasePassword(this.#secrets(service)),
      database: databaseOf(service),
    };
  }

  #commonEnv(secrets: string, kid: string, port: number): Record<string, string> {
    const peers = serviceNames.map((peer) => [`TRAINYARD_${peer.toUpperCase()}_URL`, this.url(peer)]);
    return {
      ...Object.fromEntries(peers),
      TRAINYARD_NATS_URL: this.natsUrl,
      TRAINYARD_NATS_SEED_FILE: busCredential(secrets).seedFile,
      TRAINYARD_BLOB_URL: this.#blobUrl,
      TRAINYARD_LISTEN_HOST: this.#listenHost,
      TRAINYARD_LISTEN_PORT: String(port),
      TRAINYARD_KEY_FILE: signingKeyFile(secrets, kid),
      TRAINYARD_JWKS_FILE: join(this.dir, "jwks.json"),
    };
  }

  #agentEnv(agent: AgentRecord): Record<string, string> {
    const uv = findUv();
    return {
      ...(uv === undefined ? {} : { TRAINYARD_UV: uv }),
      ...this.#commonEnv(this.#agentSecrets(agent.nodeId), `agent:${agent.nodeId}`, agent.port),
      TRAINYARD_NODE_ID: agent.nodeId,
      TRAINYARD_AGENT_DIR: join(this.dir, "agents", agent.nodeId),
      TRAINYARD_SLOTS: String(agent.slots),
      TRAINYARD_PYTHON: findPython(),
      TRAINYARD_SDK_PATH: join(checkoutRoot, "sdk/python"),
    };
  }

  #natsUsers(): NatsUser[] {
    const named = [...serviceNames, ...busUserNames].map((name) => ({
      name,
      publicKey: busCredential(this.#secrets(name)).publicKey,
      ...natsPermissions(name),
    }));
    const agents = this.agents.map(({ nodeId }) => ({
      name: `agent-${nodeId}`,
      publicKey: busCredential(this.#agentSecrets(nodeId)).publicKey,
      ...natsPermissions("worker-agent", { nodeId }),
    }));
    const joined = joinedNodes(this.dir).map(({ nodeId, busKey }) => ({
      name: `agent-${nodeId}`,
      publicKey: busKey,
      ...natsPermissions("worker-agent", { nodeId }),
    }));
    return [...named, ...agents, ...joined];
  }

  /** The public keys that every service verifies with. */
  #writeKeySet(): void {
    const keys: Jwk[] = [
      ...serviceNames.map((name) => publicJwk(signingKeyFile(this.#secrets(name), name))),
      ...this.agents.map(({ nodeId }) =>
        publicJwk(signingKeyFile(this.#agentSecrets(nodeId), `agent:${nodeId}`)),
      ),
      ...joinedNodes(this.dir).map(joinedJwk),
    ];
    writeFileWhole(join(this.dir, "jwks.json"), `${JSON.stringify({ keys }, undefined, 2)}\n`);
  }
}
