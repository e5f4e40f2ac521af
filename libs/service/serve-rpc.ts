import { Code, ConnectError } from "@connectrpc/connect";
import type { UniversalHandler, UniversalServerResponse } from "@connectrpc/connect/protocol";
import { universalRequestFromNodeRequest, universalResponseToNodeResponse } from "@connectrpc/connect-node";
import type { Logger } from "@trainyard/telemetry";
import { grpcMessage } from "./grpc-message.ts";
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
    universal = universalRequestFromNodeRequest(request, response, undefined, undefined);
  } catch {
    sendJson(response, 400, { code: "invalid_argument", message: "the request has no valid target" });
    return;
  }
  const answer = await handler(universal);
  const { trailer } = answer;
  const respelled = trailer === undefined ? answer : withTrailer(answer, () => withGrpcMessage(trailer));
  await universalResponseToNodeResponse(respelled, response);
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
