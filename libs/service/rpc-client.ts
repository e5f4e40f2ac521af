import type { DescService } from "@bufbuild/protobuf";
import { type Client, createClient, type Interceptor, type Transport } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { MAX_MESSAGE_BYTES, wideSessions } from "@trainyard/grpc";
import { clientTracingInterceptor, tokenInterceptor } from "./client-interceptors.ts";
import type { Signer } from "./signer.ts";
import { unaryTransport } from "./unary-transport.ts";

/** How long a call may take unless told: a caller never waits for ever. */
const CALL_TIMEOUT_MS = 10_000;

/** How often an idle connection is tried, and how long it may take to answer before it is given up. */
const PING_INTERVAL_MS = 20_000;
const PING_TIMEOUT_MS = 5_000;

export interface RpcClientOptions {
  /** Calls as the service that the signer speaks for. */
  readonly signer?: Signer;
  /** In place of `signer`: the token of each call. */
  readonly token?: () => Promise<string>;
  /** More headers on each call. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Of each call; `timeoutMs` in a call's own options wins. 0 for none, such as for endless streams. */
  readonly timeoutMs?: number;
  /** The server's limit. */
  readonly maxMessageBytes?: number;
  /** For unary calls only, at a third of the cost. */
  readonly unaryOnly?: boolean;
  /** With `unaryOnly`: where the server is in this very process, calls it without a socket (docs/adr/0025). */
  readonly withinProcess?: boolean;
  /** Names the client's spans; the signer's service unless told. */
  readonly name?: string;
}

/** A gRPC client of one service. Connections are made when needed, shared by calls, and made anew after a failure. */
export function rpcClient<S extends DescService>(
  service: S,
  url: string,
  options: RpcClientOptions = {},
): Client<S> {
  return createClient(service, rpcTransport(url, options));
}

/** What `rpcClient` calls through; for making clients of several services that share a connection. */
export function rpcTransport(url: string, options: RpcClientOptions = {}): Transport {
  const { signer, headers = {}, timeoutMs = CALL_TIMEOUT_MS, maxMessageBytes = MAX_MESSAGE_BYTES } = options;
  const token = options.token ?? signer?.selfToken;
  const withHeaders: Interceptor = (next) => (request) => {
    for (const [name, value] of Object.entries(headers)) request.header.set(name, value);
    return next(request);
  };
  const interceptors = [
    clientTracingInterceptor(options.name ?? signer?.kid ?? "client"),
    withHeaders,
    ...(token === undefined ? [] : [tokenInterceptor(token)]),
  ];
  if (options.unaryOnly) {
    const { withinProcess = false } = options;
    const limits = { timeoutMs: timeoutMs || undefined, maxMessageBytes };
    return unaryTransport(url, { interceptors, ...limits, withinProcess });
  }
  return createGrpcTransport({
    baseUrl: url,
    ...(timeoutMs === 0 ? {} : { defaultTimeoutMs: timeoutMs }),
    // Equal to the server's limit: a larger message would be refused in a way that breaks the whole connection.
    writeMaxBytes: maxMessageBytes,
    readMaxBytes: maxMessageBytes,
    sessionManager: wideSessions(url, { pingIntervalMs: PING_INTERVAL_MS, pingTimeoutMs: PING_TIMEOUT_MS }),
    interceptors,
  });
}
