import type { DescMethodUnary } from "@bufbuild/protobuf";
import { create, type DescMessage, type MessageInitShape, type MessageShape } from "@bufbuild/protobuf";
import type { BlobStore } from "@trainyard/blob";
import { newId } from "@trainyard/domain";
import type { UpstreamCall, Upstreams } from "../../proxy/upstreams.ts";
import type { HttpCall } from "../../rest/route.ts";
import { type Decoded, decode, type Fields } from "../domain/fields.ts";

/** What the adapter works with. */
export interface MlflowParts {
  readonly upstreams: Upstreams;
  readonly blobs: BlobStore;
  readonly blobMaxBytes: number;
}

/** One request of an MLflow client. */
export interface MlflowCall extends HttpCall, MlflowParts {
  /** The query string's parameters. */
  readonly query: URLSearchParams;
  /** One call to a service, as the client's user. */
  rpc<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    request: MessageInitShape<I>,
  ): Promise<MessageShape<O>>;
}

export type Json =
  | null
  | boolean
  | number
  | string
  | readonly Json[]
  | { readonly [key: string]: Json | undefined };

export type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

/** One thing that MLflow clients ask for. */
export interface Endpoint {
  readonly methods: readonly Method[];
  /** Behind `/api/2.0/`, such as `mlflow/runs/get`; a part in braces is a parameter, the last may be `{path*}`: the rest. */
  readonly path: string;
  /** Absent for what reads its body itself. */
  readonly fields: Fields | undefined;
  /** Answers with the body's JSON; undefined when it has answered itself. */
  readonly answer: (call: MlflowCall, body: Readonly<Record<string, unknown>>) => Promise<Json | undefined>;
}

/** An endpoint whose request is JSON, or a query string, of these fields. */
export function endpoint<F extends Fields>(
  route: string,
  fields: F,
  handle: (request: Decoded<F>, call: MlflowCall) => Promise<Json>,
): Endpoint {
  return { ...parsedRoute(route), fields, answer: (call, body) => handle(decode(body, fields), call) };
}

/** An endpoint that reads its body and answers itself. */
export function rawEndpoint(
  route: string,
  handle: (call: MlflowCall) => Promise<Json | undefined>,
): Endpoint {
  return { ...parsedRoute(route), fields: undefined, answer: handle };
}

/**
 * Calls a service as whoever the request is of. MLflow's clients have no ids for their requests, so a change that has
 * none of its own gets a new one.
 */
export function caller(upstreams: Upstreams, call: UpstreamCall): MlflowCall["rpc"] {
  return (method, request) => {
    const message = create(method.input, request);
    if ("requestId" in message && message.requestId === "")
      Object.assign(message, { requestId: newId("req") });
    return upstreams.unary(method, message, call);
  };
}

function parsedRoute(route: string): Pick<Endpoint, "methods" | "path"> {
  const [methods = "", path = ""] = route.split(" ", 2);
  // Written in this folder's own files, and only there.
  return { methods: methods.split("|") as Method[], path };
}
