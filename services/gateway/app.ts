import { readFile } from "node:fs/promises";
import { type BlobStore, openBlobStore } from "@trainyard/blob";
import { type Bus, connectBus, deadLetterFeeder } from "@trainyard/bus";
import { gateway } from "@trainyard/contracts";
import {
  type App,
  createApp,
  createHealth,
  createSigner,
  createVerifier,
  type Part,
  rpcServer,
  type Signer,
  type Verifier,
} from "@trainyard/service";
import { ensureIndexes, eventConsumer, openStore, outboxRelay, type Store } from "@trainyard/store";
import type { Logger } from "@trainyard/telemetry";
import { access } from "./api/access.ts";
import { deadLetterService } from "./api/dead-letter-service.ts";
import { eventService } from "./api/event-service.ts";
import { tokenService } from "./api/token-service.ts";
import { createAssertions } from "./auth/assertions.ts";
import { createAuthenticator } from "./auth/authenticator.ts";
import { bootstrapTokens } from "./bootstrap/bootstrap-tokens.ts";
import type { GatewayConfig } from "./config.ts";
import { endRankTokens } from "./consumers/attempt-ended.ts";
import { httpRoutes } from "./http-routes.ts";
import { proxyRoutes } from "./proxy/proxy-routes.ts";
import { createUpstreams } from "./proxy/upstreams.ts";
import { home } from "./rest/home.ts";
import { httpHandler } from "./rest/http-server.ts";
import { createEndedAttempts, endedAttemptIndexes } from "./store/ended-attempts.ts";
import { createTokens, tokenIndexes } from "./store/tokens.ts";

/** What the gateway needs from whoever runs it. */
export interface GatewayDeps {
  readonly logger: Logger;
}

/** A gateway that can be started; `url` tells where it listens once it is. */
export interface GatewayApp extends App {
  readonly url: string;
}

/** How long one upload over HTTP/1.1 may take in all; a client that stalls is dropped long before. */
const UPLOAD_TIMEOUT_MS = 12 * 60 * 60_000;

/** Builds the gateway: connects to the database and the bus, and composes the parts. Nothing runs before `start`. */
export async function build(config: GatewayConfig, { logger }: GatewayDeps): Promise<GatewayApp> {
  const { mongodbUri: uri, mongodbDatabase: database } = config;
  const blobs = openBlobStore(config.blobUrl);
  const [signer, verifier] = await Promise.all([
    createSigner(config.keyFile),
    createVerifier(config.jwksFile),
  ]);
  const store = await openStore({ uri, database, logger, appName: "gateway" });
  await ensureIndexes(store, [...tokenIndexes, ...endedAttemptIndexes]);
  const bus = await connect(config, logger);
  return compose(config, { logger, store, bus, signer, verifier, blobs });
}

async function connect(config: GatewayConfig, logger: Logger): Promise<Bus> {
  const seed = config.natsSeedFile === undefined ? undefined : await readFile(config.natsSeedFile);
  const known = seed === undefined ? {} : { seed };
  return connectBus({ servers: config.natsUrl, name: "gateway", logger, ...known });
}

interface Connected extends GatewayDeps {
  readonly store: Store;
  readonly bus: Bus;
  readonly signer: Signer;
  readonly verifier: Verifier;
  readonly blobs: BlobStore;
}

function compose(config: GatewayConfig, deps: Connected): GatewayApp {
  const { logger, store, bus, signer, verifier, blobs } = deps;
  const tokens = createTokens(store);
  const endedAttempts = createEndedAttempts(store);
  const authenticator = createAuthenticator({ tokens, endedAttempts, verifier });
  const { authenticate } = authenticator;
  const { schedulerUrl, trackingUrl, datasetUrl, evaluationUrl, registryUrl } = config;
  const upstreams = createUpstreams(
    {
      scheduler: schedulerUrl,
      tracking: trackingUrl,
      dataset: datasetUrl,
      evaluation: evaluationUrl,
      registry: registryUrl,
    },
    createAssertions(signer),
  );
  const health = createHealth({ checks: { mongodb: () => store.ping(), nats: () => bus.probe() } });
  const routes = httpRoutes({ upstreams, blobs, blobMaxBytes: config.blobMaxBytes });
  const server = rpcServer({
    name: "gateway",
    host: config.listenHost,
    port: config.listenPort,
    routes(router) {
      router.service(gateway.TokenService, tokenService({ store, tokens, authenticator }));
      router.service(gateway.EventService, eventService(bus, logger));
      router.service(gateway.DeadLetterService, deadLetterService({ bus, store }));
      proxyRoutes(router, upstreams);
    },
    access,
    authenticate,
    health,
    logger,
    requestTimeoutMs: UPLOAD_TIMEOUT_MS,
    fallback: httpHandler({ routes, authenticate, logger, home: home(routes) }),
  });
  const handlers = [endRankTokens(endedAttempts)];
  const { bootstrapFile: file, bootstrapUser: user } = config;
  const app = createApp({
    name: "gateway",
    logger,
    health,
    parts: [
      closing("database connection", () => store.close()),
      closing("bus connection", () => bus.close()),
      outboxRelay({ store, bus, service: "gateway", logger }),
      deadLetterFeeder(bus, logger),
      eventConsumer({ store, bus, logger, name: "gateway-rank-tokens", from: "scheduler", handlers }),
      bootstrapTokens({ store, tokens, file, user, logger }),
      server,
    ],
  });
  return {
    ...app,
    get url() {
      return server.url;
    },
  };
}

function closing(name: string, close: () => Promise<void>): Part {
  return { name, start: async () => undefined, stop: close };
}
