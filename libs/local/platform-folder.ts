import { availableParallelism } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { natsPermissions } from "@trainyard/bus";
import { assertName, DomainError } from "@trainyard/domain";
import { checkoutRoot } from "./checkout.ts";
import { findPython } from "./find-program.ts";
import { freePort } from "./free-port.ts";
import { mongodUri, startMongod } from "./mongod.ts";
import type { MongodUser } from "./mongod-admin.ts";
import { type NatsUser, setNatsUsers, startNatsServer } from "./nats-server.ts";
import type { AgentRecord, Platform, PlatformServers } from "./platform.ts";
import { makePrivateFolder, readIfExists, writeFileWhole } from "./private-file.ts";
import { busCredential, databasePassword, type Jwk, publicJwk, signingKeyFile } from "./secrets.ts";
import {
  type BusUserName,
  busUserNames,
  databaseOf,
  type Ports,
  type ServiceName,
  serviceNames,
} from "./service-names.ts";

/** The state folder as files; see `Platform` for what it promises. */
export class PlatformFolder implements Platform {
  readonly dir: string;
  readonly ports: Ports;
  readonly #listenHost: string;

  constructor(dir: string, ports: Ports, listenHost: string) {
    this.dir = dir;
    this.ports = ports;
    this.#listenHost = listenHost;
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
    return `nats://${this.#reachableHost}:${this.ports.nats}`;
  }

  url(service: ServiceName): string {
    return `http://${this.#reachableHost}:${this.ports[service]}`;
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
      TRAINYARD_MONGODB_URI: mongodUri(this.ports.mongod, database),
      TRAINYARD_MONGODB_DATABASE: database.database,
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
    await setNatsUsers({
      dir: join(this.dir, "nats"),
      host: this.#listenHost,
      port: this.ports.nats,
      users: this.#natsUsers(),
    });
    return record;
  }

  async startServers(options: { readonly dieWithParent?: boolean } = {}): Promise<PlatformServers> {
    const [nats, mongod] = await Promise.all([
      startNatsServer({
        dir: join(this.dir, "nats"),
        host: this.#listenHost,
        port: this.ports.nats,
        users: this.#natsUsers(),
        ...options,
      }),
      startMongod({
        dir: join(this.dir, "mongod"),
        port: this.ports.mongod,
        users: serviceNames.map((service) => this.#databaseUser(service)),
        ...options,
      }),
    ]);
    return { nats, mongod, stop: async () => void (await Promise.allSettled([nats.stop(), mongod.stop()])) };
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
      TRAINYARD_BLOB_URL: pathToFileURL(join(this.dir, "blobs")).href,
      TRAINYARD_LISTEN_HOST: this.#listenHost,
      TRAINYARD_LISTEN_PORT: String(port),
      TRAINYARD_KEY_FILE: signingKeyFile(secrets, kid),
      TRAINYARD_JWKS_FILE: join(this.dir, "jwks.json"),
    };
  }

  #agentEnv(agent: AgentRecord): Record<string, string> {
    return {
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
    return [...named, ...agents];
  }

  /** The public keys that every service verifies with. */
  #writeKeySet(): void {
    const keys: Jwk[] = [
      ...serviceNames.map((name) => publicJwk(signingKeyFile(this.#secrets(name), name))),
      ...this.agents.map(({ nodeId }) =>
        publicJwk(signingKeyFile(this.#agentSecrets(nodeId), `agent:${nodeId}`)),
      ),
    ];
    writeFileWhole(join(this.dir, "jwks.json"), `${JSON.stringify({ keys }, undefined, 2)}\n`);
  }
}
