import { readFile } from "node:fs/promises";
import { type Bus, connectBus } from "@trainyard/bus";
import { ensureIndexes, type IndexSpec, openStore, outboxRelay, type Store } from "@trainyard/store";
import type { Logger } from "@trainyard/telemetry";
import { createHealth, type Health } from "./health.ts";
import type { Part } from "./part.ts";
import type { RpcServerOptions } from "./rpc-server.ts";
import { createSigner, type Signer } from "./signer.ts";
import { createVerifier, type Verifier } from "./verifier.ts";

/** The settings that a service's foundation needs; `baseConfigShape` has them all. */
export interface FoundationConfig {
  readonly natsUrl: string;
  readonly natsSeedFile?: string | undefined;
  readonly mongodbUri: string;
  readonly mongodbDatabase: string;
  readonly listenHost: string;
  readonly listenPort: number;
  readonly keyFile: string;
  readonly jwksFile: string;
}

/** What a service with a database of its own stands on: its connections, its identity, and the way out for its events. */
export interface Foundation {
  readonly store: Store;
  readonly bus: Bus;
  readonly signer: Signer;
  readonly verifier: Verifier;
  readonly health: Health;
  /** The options of the service's `rpcServer` that are the same for all: spread them and add routes and access. */
  readonly server: Pick<RpcServerOptions, "name" | "host" | "port" | "verifier" | "health" | "logger">;
  /** First in `createApp`: the connections, which close last, and the outbox's relay. */
  readonly parts: readonly Part[];
}

/** Connects a service, and makes its indexes exist. Rejects, with nothing left open, when the database or the bus is away. */
export async function layFoundation(
  name: string,
  config: FoundationConfig,
  logger: Logger,
  indexes: readonly IndexSpec[],
): Promise<Foundation> {
  const { natsUrl: servers, natsSeedFile, mongodbUri: uri, mongodbDatabase: database } = config;
  const [signer, verifier] = await Promise.all([
    createSigner(config.keyFile),
    createVerifier(config.jwksFile),
  ]);
  const seed = natsSeedFile === undefined ? {} : { seed: await readFile(natsSeedFile) };
  const store = await openStore({ uri, database, logger, appName: name });
  try {
    await ensureIndexes(store, indexes);
    const bus = await connectBus({ servers, name, logger, ...seed });
    const health = createHealth({ checks: { mongodb: () => store.ping(), nats: () => bus.probe() } });
    const connections: Part = {
      name: "connections",
      start: async () => undefined,
      async stop() {
        await bus.close();
        await store.close();
      },
    };
    return {
      store,
      bus,
      signer,
      verifier,
      health,
      server: { name, host: config.listenHost, port: config.listenPort, verifier, health, logger },
      parts: [connections, outboxRelay({ store, bus, service: name, logger })],
    };
  } catch (error) {
    await store.close();
    throw error;
  }
}
