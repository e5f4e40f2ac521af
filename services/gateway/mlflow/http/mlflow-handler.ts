import {
  type Authenticate,
  assertAccess,
  type HttpHandler,
  type Principal,
  sendJson,
} from "@trainyard/service";
import { type Logger, withSpan } from "@trainyard/telemetry";
import { answerFailure } from "../../rest/answer-failure.ts";
import { discardBody } from "../../rest/discard-body.ts";
import type { HttpRequest, HttpResponse } from "../../rest/route.ts";
import { upstreamCall } from "../../rest/upstream-call.ts";
import { MlflowError } from "../domain/mlflow-error.ts";
import { notSupported, refusalOf } from "../domain/refusals.ts";
import { caller, type MlflowCall, type MlflowParts } from "./endpoint.ts";
import type { EndpointMatch, FindEndpoint } from "./find-endpoint.ts";
import { readFields } from "./read-body.ts";
import { asMlflowError, sendMlflowError } from "./send-mlflow-error.ts";

/** A client that sends or takes nothing for so long is dropped, whatever the whole transfer may take. */
const IDLE_TIMEOUT_MS = 60_000;

/** MLflow's REST paths: `/api/2.0/…` of its clients, `/ajax-api/…` of its pages, either with the version that a method came with. */
const prefix = /^\/(?:api|ajax-api)\/[23]\.0\//;

/** What a client asks its server for before it says who it is. */
const open = new Set(["/health", "/version"]);

export interface MlflowHandlerOptions extends MlflowParts {
  readonly find: FindEndpoint;
  readonly authenticate: Authenticate;
  readonly logger: Logger;
  /** The version of MLflow that the adapter answers as. */
  readonly version: string;
}

/** Whether a request is of an MLflow client. */
export function isMlflowPath(path: string): boolean {
  return open.has(path) || path === "/get-artifact" || (prefix.test(path) && /\.0\/mlflow/.test(path));
}

/** Serves MLflow's REST interface; every failure is told in MLflow's JSON. */
export function mlflowHandler(options: MlflowHandlerOptions): HttpHandler {
  return (request, response) => {
    request.setTimeout(IDLE_TIMEOUT_MS, () => void request.destroy());
    void serve(options, request, response);
  };
}

async function serve(
  options: MlflowHandlerOptions,
  request: HttpRequest,
  response: HttpResponse,
): Promise<void> {
  const gone = new AbortController();
  // An answer that is out needs no call to be given up, and to give up costs an exception.
  response.once("close", () => {
    if (!response.writableFinished) gone.abort();
  });
  const [path = "", search = ""] = splitUrl(request.url ?? "");
  try {
    if (open.has(path)) return sendText(response, path === "/version" ? options.version : "OK");
    const principal = await options.authenticate(request.headers.authorization ?? null);
    assertAccess({ kinds: ["user", "rank"] }, "MLflow", principal);
    const match = matching(options.find, request.method ?? "", path);
    const http = { request, response, params: match.params, principal, signal: gone.signal };
    const call = mlflowCall(options, http, new URLSearchParams(search));
    await answered(match, call);
  } catch (error) {
    answerFailure(options.logger, request, response, gone.signal, {
      error,
      isOurs: asMlflowError(error, request).code === "INTERNAL_ERROR",
      answer: () => sendMlflowError(request, response, error),
    });
  } finally {
    discardBody(request, response);
  }
}

function matching(find: FindEndpoint, method: string, path: string): EndpointMatch {
  const rest = decoded(path.replace(prefix, "").replace(/^\//, ""));
  const match = find(method, rest);
  if (match !== undefined) return match;
  const refusal = refusalOf(rest);
  if (refusal !== undefined) throw notSupported(refusal);
  throw new MlflowError(
    "ENDPOINT_NOT_FOUND",
    `There is no ${method} ${rest.slice(0, 200)} in the MLflow interface of this server (docs/mlflow.md says what there is).`,
  );
}

function mlflowCall(
  { upstreams, blobs, blobMaxBytes }: MlflowParts,
  http: Omit<MlflowCall, keyof MlflowParts | "rpc" | "query"> & { readonly principal: Principal },
  query: URLSearchParams,
): MlflowCall {
  return { ...http, upstreams, blobs, blobMaxBytes, query, rpc: caller(upstreams, upstreamCall(http)) };
}

async function answered({ endpoint }: EndpointMatch, call: MlflowCall): Promise<void> {
  const { fields, answer, path, methods } = endpoint;
  const parent = call.request.headers.traceparent;
  const span = { kind: "server", parent: typeof parent === "string" ? parent : undefined } as const;
  await withSpan("gateway", `${methods.join("|")} ${path}`, span, async () => {
    const body =
      fields === undefined
        ? {}
        : {
            ...(await readFields(call.request, call.query, (name) => fields[name]?.repeated === true)),
            ...Object.fromEntries(call.params),
          };
    const json = await answer(call, body);
    if (json !== undefined) sendJson(call.response, 200, json);
  });
}

function splitUrl(url: string): readonly string[] {
  const at = url.indexOf("?");
  return at < 0 ? [url] : [url.slice(0, at), url.slice(at + 1)];
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    throw new MlflowError("INVALID_PARAMETER_VALUE", "The path has a malformed percent-encoding.");
  }
}

function sendText(response: HttpResponse, text: string): void {
  response.setHeader("content-type", "text/plain; charset=utf-8");
  response.end(text);
}
