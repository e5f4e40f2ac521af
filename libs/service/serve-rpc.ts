import type { IncomingMessage } from "node:http";
import { Code, ConnectError } from "@connectrpc/connect";
import type {
  UniversalHandler,
  UniversalServerRequest,
  UniversalServerResponse,
} from "@connectrpc/connect/protocol";
import { universalRequestFromNodeRequest, universalResponseToNodeResponse } from "@connectrpc/connect-node";
import type { Logger } from "@trainyard/telemetry";
import { grpcMessage } from "./grpc-message.ts";
import { headerPairs } from "./http-post.ts";
import { sendJson } from "./ops-endpoints.ts";
import type { HttpHandler } from "./shared-port-server.ts";

type Request = Parameters<HttpHandler>[0];
type Response = Parameters<HttpHandler>[1];

/**
 * Serves RPC handlers from Node's HTTP servers and says whether the request was for one of them. Unlike Connect's own
 * adapter it logs through the service's logger and answers a request with a malformed target.
 */
export function serveRpc(
  handlers: readonly UniversalHandler[],
  logger: Logger,
): (request: Request, response: Response) => boolean {
  const byPath = new Map(handlers.map((handler) => [handler.requestPath, handler]));
  return (request, response) => {
    const handler = byPath.get(request.url?.split("?", 1)[0] ?? "");
    if (handler === undefined) return false;
    serve(handler, request, response).catch((error: unknown) => {
      // Mostly a client that left; what handlers throw has been answered by then.
      const quiet = request.errored !== null || ConnectError.from(error).code === Code.Aborted;
      logger[quiet ? "debug" : "warn"]({ err: error, path: handler.requestPath }, "answer not sent");
      response.end();
    });
    return true;
  };
}

async function serve(handler: UniversalHandler, request: Request, response: Response): Promise<void> {
  let universal: ReturnType<typeof universalRequestFromNodeRequest>;
  try {
    universal =
      handler.method.methodKind === "unary" && isHttp1(request)
        ? unaryRequest(request, response)
        : universalRequestFromNodeRequest(request, response, undefined, undefined);
  } catch {
    sendJson(response, 400, { code: "invalid_argument", message: "the request has no valid target" });
    return;
  }
  const answer = await handler(universal);
  const { trailer } = answer;
  const respelled = trailer === undefined ? answer : withTrailer(answer, () => withGrpcMessage(trailer));
  await universalResponseToNodeResponse(respelled, response);
}

function isHttp1(request: Request): request is IncomingMessage {
  return request.httpVersionMajor === 1;
}

/**
 * What the adapter makes of a request, without the generator that it wraps around the body: a generator function made
 * for one call keeps all of the call in memory until the next full collection (docs/adr/0022).
 */
function unaryRequest(request: IncomingMessage, response: Response): UniversalServerRequest {
  const left = new AbortController();
  response.once("close", () => {
    if (!response.writableFinished) left.abort(new ConnectError("the caller has left", Code.Canceled));
  });
  return {
    httpVersion: request.httpVersion,
    method: request.method ?? "",
    url: new URL(request.url ?? "", `http://${request.headers.host}`).toString(),
    header: new Headers(headerPairs(request.rawHeaders)),
    body: request,
    signal: left.signal,
  };
}

/** The adapter reads the trailer when the body has been sent; before that it is not complete. */
function withTrailer(answer: UniversalServerResponse, trailer: () => Headers): UniversalServerResponse {
  return {
    ...answer,
    get trailer() {
      return trailer();
    },
  };
}

function withGrpcMessage(trailer: Headers): Headers {
  const message = trailer.get("grpc-message");
  if (message === null) return trailer;
  const headers = new Headers(trailer);
  headers.set("grpc-message", grpcMessage(message));
  return headers;
}
