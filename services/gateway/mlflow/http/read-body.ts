import { readBytes } from "../../rest/read-json.ts";
import type { HttpRequest } from "../../rest/route.ts";
import { isRecord } from "../domain/fields.ts";
import { invalidParameter, MlflowError } from "../domain/mlflow-error.ts";

/** Largest JSON body: a batch may have 1 MB, an experiment's tags or a dataset's profile more. */
const MAX_BODY_BYTES = 16 * 1024 * 1024;

/** The fields of a request: of the query string for GET, else of the JSON body; no body is no fields. */
export async function readFields(
  request: HttpRequest,
  query: URLSearchParams,
  repeated: (name: string) => boolean,
): Promise<Readonly<Record<string, unknown>>> {
  if (request.method === "GET") {
    if (query.size > 0) return queryFields(query, repeated);
    if (request.headers["content-type"] === undefined) return {};
  }
  // A DELETE may say all that it has to in its path.
  if (request.method === "DELETE" && request.headers["content-type"] === undefined) return {};
  const type = request.headers["content-type"]?.split(";", 1)[0]?.trim().toLowerCase();
  if (type !== "application/json") {
    throw new MlflowError(
      "INVALID_PARAMETER_VALUE",
      "Bad Request. Content-Type must be one of ['application/json'].",
    );
  }
  const bytes = await readBytes(request, MAX_BODY_BYTES);
  return bytes.byteLength === 0 ? {} : parsed(bytes);
}

function queryFields(
  query: URLSearchParams,
  repeated: (name: string) => boolean,
): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    [...new Set(query.keys())].map((name) => [name, repeated(name) ? query.getAll(name) : query.get(name)]),
  );
}

function parsed(bytes: Buffer): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString("utf8"));
    // Older clients send their JSON as a text in JSON.
    if (typeof value === "string") value = JSON.parse(value);
  } catch {
    throw invalidParameter("The request's body is not valid JSON.");
  }
  if (value === null) return {};
  if (!isRecord(value)) throw invalidParameter("The request's body is not a JSON object.");
  return value;
}
