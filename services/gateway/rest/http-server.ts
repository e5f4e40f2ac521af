import { DomainError } from "@trainyard/domain";
import { type Authenticate, assertAccess, type HttpHandler, type Principal } from "@trainyard/service";
import { type Logger, withSpan } from "@trainyard/telemetry";
import { answerFailure } from "./answer-failure.ts";
import { discardBody } from "./discard-body.ts";
import { sendError, visibleError } from "./http-error.ts";
import { matchRoute } from "./match-route.ts";
import type { HttpRequest, HttpResponse, Route } from "./route.ts";

/** A client that sends or takes nothing for so long is dropped, whatever the whole transfer may take. */
const IDLE_TIMEOUT_MS = 60_000;

export interface HttpOptions {
  readonly routes: readonly Route[];
  readonly authenticate: Authenticate;
  readonly logger: Logger;
  /** Answers `GET /`, which asks for no token. */
  readonly home: (response: HttpResponse) => void;
}

/** Serves what is not an RPC: finds the route, then who is calling, then answers; every failure is told as JSON. */
export function httpHandler(options: HttpOptions): HttpHandler {
  return (request, response) => {
    request.setTimeout(IDLE_TIMEOUT_MS, () => void request.destroy());
    void serve(options, request, response);
  };
}

async function serve(options: HttpOptions, request: HttpRequest, response: HttpResponse): Promise<void> {
  const gone = new AbortController();
  response.once("close", () => gone.abort());
  const method = request.method ?? "";
  const path = request.url?.split("?", 1)[0] ?? "";
  try {
    if (path === "/" && (method === "GET" || method === "HEAD")) return options.home(response);
    const match = matchRoute(options.routes, method, path);
    if (match.kind === "none") throw noRoute(options.routes);
    if (match.kind === "wrong-method") {
      response.setHeader("allow", match.allowed.join(", "));
      throw wrongMethod(method, match.allowed);
    }
    const { route, params } = match;
    const principal = await options.authenticate(request.headers.authorization ?? null);
    assertRoute(route, principal);
    const span = { kind: "server", parent: headerOf(request, "traceparent") } as const;
    await withSpan("gateway", `${route.method} ${route.path}`, span, () =>
      route.handle({ request, response, params, principal, signal: gone.signal }),
    );
  } catch (error) {
    const visible = visibleError(error);
    answerFailure(options.logger, request, response, gone.signal, {
      error,
      isOurs: visible.code === "internal",
      answer: () => sendError(response, visible),
    });
  } finally {
    discardBody(request, response);
  }
}

function assertRoute(route: Route, principal: Principal): void {
  const kinds = [
    ...(route.role === undefined ? (["user"] as const) : []),
    ...(route.ranks === true ? (["rank"] as const) : []),
  ];
  const roles = route.role === undefined ? [] : [route.role];
  assertAccess({ roles, kinds }, `${route.method} ${route.path}`, principal);
}

function headerOf(request: HttpRequest, name: string): string | undefined {
  const value = request.headers[name];
  return typeof value === "string" ? value : undefined;
}

function noRoute(routes: readonly Route[]): DomainError {
  const served = routes.map(({ method, path }) => `${method} ${path}`).join(", ");
  const message = `Nothing is served at this path. There are ${served}; and the RPCs, by gRPC or Connect, at /PACKAGE.SERVICE/METHOD.`;
  return new DomainError("not_found", "ROUTE_NOT_FOUND", message);
}

function wrongMethod(method: string, allowed: readonly string[]): DomainError {
  const message = `${method} is not allowed here; expected ${allowed.join(" or ")}.`;
  return new DomainError("invalid_argument", "METHOD_NOT_ALLOWED", message);
}
