import { openBlobStore } from "@trainyard/blob";
import { deadLetterFeeder } from "@trainyard/bus";
import { gateway } from "@trainyard/contracts";
import {
  type App,
  createApp,
  type Foundation,
  type HttpHandler,
  layFoundation,
  rpcServer,
} from "@trainyard/service";
import { eventConsumer } from "@trainyard/store";
import type { Logger } from "@trainyard/telemetry";
import { access } from "./api/access.ts";
import { deadLetterService } from "./api/dead-letter-service.ts";
import { eventService } from "./api/event-service.ts";
import { type AdmitNode, nodeJoinService } from "./api/node-join-service.ts";
import { tokenService } from "./api/token-service.ts";
import { createAssertions } from "./auth/assertions.ts";
import { createAuthenticator } from "./auth/authenticator.ts";
import { bootstrapTokens } from "./bootstrap/bootstrap-tokens.ts";
import type { GatewayConfig } from "./config.ts";
import { endRankTokens } from "./consumers/attempt-ended.ts";
import { httpRoutes } from "./http-routes.ts";
import { endpoints, MLFLOW_VERSION } from "./mlflow/endpoints.ts";
import { endpointFinder } from "./mlflow/http/find-endpoint.ts";
import { mlflowAuthenticate } from "./mlflow/http/mlflow-authenticate.ts";
import { isMlflowPath, mlflowHandler } from "./mlflow/http/mlflow-handler.ts";
import { proxyRoutes } from "./proxy/proxy-routes.ts";
import { createUpstreams } from "./proxy/upstreams.ts";
import { home } from "./rest/home.ts";
import { httpHandler } from "./rest/http-server.ts";
import { createEndedAttempts, endedAttemptIndexes } from "./store/ended-attempts.ts";
import { createJoinTokens, joinTokenIndexes } from "./store/join-tokens.ts";
import { createTokens, tokenIndexes } from "./store/tokens.ts";

/** What the gateway needs from whoever runs it. */
export interface GatewayDeps {
  readonly logger: Logger;
  /** How a machine that joins is let in; without it none can. */
  readonly admitNode?: AdmitNode;
  /** Whether the services behind it may be in its own process; those that are, it calls without a socket. */
  readonly withinProcess?: boolean;
}

/** A gateway that can be started; `url` tells where it listens once it is. */
export interface GatewayApp extends App {
  readonly url: string;
}

/** How long one upload over HTTP/1.1 may take in all; a client that stalls is dropped long before. */
const UPLOAD_TIMEOUT_MS = 12 * 60 * 60_000;

/** Builds the gateway: connects to the database and the bus, and composes the parts. Nothing runs before `start`. */
export async function build(config: GatewayConfig, deps: GatewayDeps): Promise<GatewayApp> {
  const indexes = [...tokenIndexes, ...endedAttemptIndexes, ...joinTokenIndexes];
  const foundation = await layFoundation("gateway", config, deps.logger, indexes);
  return compose(config, foundation, deps);
}

function compose(
  config: GatewayConfig,
  foundation: Foundation,
  { logger, admitNode, withinProcess = false }: GatewayDeps,
): GatewayApp {
  const { store, bus, signer, verifier, health } = foundation;
  const blobs = openBlobStore(config.blobUrl);
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
    { withinProcess },
  );
  const routes = httpRoutes({ upstreams, blobs, blobMaxBytes: config.blobMaxBytes });
  const urls = { busUrl: config.natsUrl, trackingUrl, schedulerUrl, blobUrl: config.blobUrl };
  const join = { store, joinTokens: createJoinTokens(store), blobs, admitNode, urls, logger };
  const server = rpcServer({
    ...foundation.server,
    routes(router) {
      router.service(gateway.TokenService, tokenService({ store, tokens, authenticator }));
      router.service(gateway.NodeJoinService, nodeJoinService(join));
      router.service(gateway.EventService, eventService(bus, logger));
      router.service(gateway.DeadLetterService, deadLetterService({ bus, store }));
      proxyRoutes(router, upstreams);
    },
    access,
    authenticate,
    requestTimeoutMs: UPLOAD_TIMEOUT_MS,
    fallback: byPath(
      mlflowHandler({
        upstreams,
        blobs,
        blobMaxBytes: config.blobMaxBytes,
        find: endpointFinder(endpoints),
        authenticate: mlflowAuthenticate(authenticate),
        logger,
        version: MLFLOW_VERSION,
      }),
      httpHandler({ routes, authenticate, logger, home: home(routes) }),
    ),
  });
  const handlers = [endRankTokens(endedAttempts)];
  const { bootstrapFile: file, bootstrapUser: user } = config;
  const app = createApp({
    name: "gateway",
    logger,
    health,
    parts: [
      ...foundation.parts,
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

/** MLflow's clients have paths, headers and errors of their own. */
function byPath(mlflow: HttpHandler, rest: HttpHandler): HttpHandler {
  return (request, response) => {
    const path = request.url?.split("?", 1)[0] ?? "";
    return isMlflowPath(path) ? mlflow(request, response) : rest(request, response);
  };
}
