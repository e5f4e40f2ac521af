import type { IncomingMessage, ServerResponse } from "node:http";
import type { Http2ServerRequest, Http2ServerResponse } from "node:http2";
import type { Principal, Role } from "@trainyard/service";

export type HttpRequest = IncomingMessage | Http2ServerRequest;
export type HttpResponse = ServerResponse | Http2ServerResponse;

/** One request to a route, its caller known. */
export interface HttpCall {
  readonly request: HttpRequest;
  readonly response: HttpResponse;
  /** The path's parameters by name, decoded. */
  readonly params: ReadonlyMap<string, string>;
  readonly principal: Principal;
  /** Aborts when the client goes away. */
  readonly signal: AbortSignal;
}

/** One thing that HTTP clients can do here. */
export interface Route {
  readonly method: "GET" | "HEAD" | "PUT" | "POST";
  /** Such as `/api/v1/blobs/{digest}`. */
  readonly path: string;
  /** The role that the gateway itself asks for; absent where a service behind it decides. */
  readonly role?: Role;
  /** Whether a rank may call it, too; the route then sees to the rank's limits. */
  readonly ranks?: boolean;
  /** Answers, or throws a DomainError. */
  readonly handle: (call: HttpCall) => Promise<void>;
}

/** A path parameter of the route. */
export function param(call: Pick<HttpCall, "params">, name: string): string {
  const value = call.params.get(name);
  if (value === undefined) throw new Error(`the route has no parameter ${name}`);
  return value;
}
