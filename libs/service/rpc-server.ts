import { isIPv6 } from "node:net";
import type { DescService } from "@bufbuild/protobuf";
import { Code, ConnectError, type ConnectRouter, createConnectRouter } from "@connectrpc/connect";
import { compressionBrotli, compressionGzip } from "@connectrpc/connect-node";
import { health as healthContract, reflection } from "@trainyard/contracts";
import { MAX_MESSAGE_BYTES } from "@trainyard/grpc";
import type { Logger } from "@trainyard/telemetry";
import { type AccessTable, assertCompleteAccess } from "./access.ts";
import { type Authenticate, bearerAuthenticate } from "./authenticate.ts";
import type { Health } from "./health.ts";
import { healthService } from "./health-service.ts";
import { sendJson, serveOps } from "./ops-endpoints.ts";
import type { Part } from "./part.ts";
import { reflectionService } from "./reflection-service.ts";
import { requestGate } from "./request-gate.ts";
import { serveRpc } from "./serve-rpc.ts";
import { accessLogInterceptor, errorInterceptor, tracingInterceptor } from "./server-interceptors.ts";
import { type HttpHandler, sharedPortServer } from "./shared-port-server.ts";
import type { Verifier } from "./verifier.ts";
import { type ServerWithin, serveWithinProcess } from "./within-process.ts";

/** How long one request over HTTP/1.1 may take to arrive whole. */
const REQUEST_TIMEOUT_MS = 120_000;

const STOP_GRACE_MS = 3_000;

export interface RpcServerOptions {
  /** The service's name: it is the tracer's, and the metrics' label. */
  readonly name: string;
  readonly host: string;
  /** 0 lets the system choose; `url` tells. */
  readonly port: number;
  readonly routes: (router: ConnectRouter) => void;
  /** The rule of every method in `routes`; a method without one is refused when the server is built. */
  readonly access: AccessTable;
  /** Knows the callers' tokens. */
  readonly verifier?: Verifier;
  /** In place of `verifier`: decides by the whole header who is calling. */
  readonly authenticate?: Authenticate;
  readonly health: Health;
  readonly logger: Logger;
  readonly maxMessageBytes?: number;
  readonly requestTimeoutMs?: number;
  /** How long calls under way may take to finish when the server stops; 3 s unless given. */
  readonly stopGraceMs?: number;
  /** Serves whatever is neither an RPC nor one of the ops endpoints: REST, static files. 404 unless given. */
  readonly fallback?: HttpHandler;
}

/** A service's one port. */
export interface RpcServer extends Part {
  /** Where it listens, such as http://127.0.0.1:50051. Throws before it has started. */
  readonly url: string;
}

/**
 * Serves a service's RPCs on one port to gRPC (cleartext HTTP/2), gRPC-Web and Connect clients, together with
 * grpc.health.v1, grpc.reflection.v1, /healthz, /readyz, /metrics, and by `fallback` any other HTTP. Each call is let in
 * by its token and the access table before its body is read, is a span of the caller's trace, and fails with the one
 * mapping of errors.
 */
export function rpcServer(options: RpcServerOptions): RpcServer {
  const { name, logger, health, fallback = notFound } = options;
  const maxBytes = options.maxMessageBytes ?? MAX_MESSAGE_BYTES;
  const stopGraceMs = options.stopGraceMs ?? STOP_GRACE_MS;
  const stopping = new AbortController();
  const limits = {
    readMaxBytes: maxBytes,
    writeMaxBytes: maxBytes,
    acceptCompression: [compressionGzip, compressionBrotli],
    // Never: to compress a history of 100,000 points takes three times as long as everything else about it, and most of it is noise.
    compressMinBytes: maxBytes + 1,
    shutdownSignal: stopping.signal,
  };
  const router = createConnectRouter({
    ...limits,
    requestGate: requestGate(options.access, authenticateOf(options), logger),
    interceptors: [tracingInterceptor(name), accessLogInterceptor(name, logger), errorInterceptor(logger)],
  });
  options.routes(router);
  const own = router.handlers;
  assertCompleteAccess(
    options.access,
    own.map((handler) => handler.method),
  );
  const services = [...new Set(own.map((handler): DescService => handler.service))];
  const open = createConnectRouter({ ...limits, interceptors: [errorInterceptor(logger)] });
  const offered = [...services, healthContract.Health, reflection.ServerReflection];
  open.service(healthContract.Health, healthService(health, new Set(services.map((one) => one.typeName))));
  open.service(reflection.ServerReflection, reflectionService(offered));

  const handleRpc = serveRpc([...own, ...open.handlers], logger);
  const server = sharedPortServer((request, response) => {
    // A peer that goes away in the middle of its answer is no failure of ours.
    response.on("error", () => undefined);
    if (!serveOps(health, request, response) && !handleRpc(request, response)) fallback(request, response);
  }, options.requestTimeoutMs ?? REQUEST_TIMEOUT_MS);

  let url: string | undefined;
  let within: ServerWithin | undefined;
  return {
    name: "rpc server",
    get url() {
      if (url === undefined) throw new Error(`the ${name} server has not started`);
      return url;
    },
    async start() {
      const { port } = await server.listen(options.host, options.port);
      url = `http://${isIPv6(options.host) ? `[${options.host}]` : options.host}:${port}`;
      within = serveWithinProcess(url, own);
      logger.info({ url }, "listening");
    },
    async stop(signal) {
      // Ends the streams, which would go on for ever; unary calls that are under way finish.
      stopping.abort(new ConnectError("the server is stopping", Code.Unavailable));
      const graceful = AbortSignal.any([signal, AbortSignal.timeout(stopGraceMs)]);
      await Promise.all([server.close(graceful), within?.close(graceful)]);
    },
  };
}

function authenticateOf({ authenticate, verifier }: RpcServerOptions): Authenticate {
  if (authenticate !== undefined) return authenticate;
  if (verifier !== undefined) return bearerAuthenticate(verifier);
  throw new Error("an rpc server needs a verifier or its own authenticate");
}

const notFound: HttpHandler = (_request, response) => {
  sendJson(response, 404, { code: "not_found", message: "nothing is served here" });
};
