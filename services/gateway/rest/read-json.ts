import { DomainError } from "@trainyard/domain";
import type { z } from "zod";
import type { HttpRequest } from "./route.ts";

/** Largest JSON body, in bytes. */
export const MAX_JSON_BYTES = 1024 * 1024;

/**
 * Reads a JSON body and checks it. Throws `invalid_argument` CONTENT_TYPE_UNSUPPORTED, JSON_INVALID or BODY_INVALID
 * (every wrong field at once), `resource_exhausted` BODY_TOO_LARGE.
 */
export async function readJson<T>(request: HttpRequest, schema: z.ZodType<T>): Promise<T> {
  assertJsonType(request.headers["content-type"]);
  const bytes = await readBytes(request, MAX_JSON_BYTES);
  const parsed = schema.safeParse(parseJson(bytes));
  if (parsed.success) return parsed.data;
  const violations = parsed.error.issues.map((issue) => ({
    field: issue.path.join(".") || "(body)",
    description: issue.message,
  }));
  const listed = violations.map(({ field, description }) => `${field}: ${description}`).join("; ");
  throw new DomainError("invalid_argument", "BODY_INVALID", `The body is not as expected: ${listed}.`, {
    violations,
  });
}

function assertJsonType(contentType: string | undefined): void {
  const type = contentType?.split(";", 1)[0]?.trim().toLowerCase();
  if (type === "application/json") return;
  const got = type === undefined ? "none" : JSON.stringify(type.slice(0, 80));
  const message = `The body's content-type is ${got}; expected application/json.`;
  throw new DomainError("invalid_argument", "CONTENT_TYPE_UNSUPPORTED", message);
}

/** Reads a whole body. Throws `resource_exhausted` BODY_TOO_LARGE above the limit, without reading on. */
export async function readBytes(request: HttpRequest, maxBytes: number): Promise<Buffer> {
  if (Number(request.headers["content-length"] ?? 0) > maxBytes) throw tooLarge(maxBytes);
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  // Not by `for await`, which would destroy the request on leaving early, and with it the answer's connection.
  await new Promise<void>((resolve, reject) => {
    const onData = (chunk: Uint8Array) => {
      sizeBytes += chunk.byteLength;
      if (sizeBytes <= maxBytes) return chunks.push(chunk);
      request.off("data", onData);
      return reject(tooLarge(maxBytes));
    };
    request.on("data", onData);
    request.once("end", resolve);
    request.once("error", reject);
    request.once("close", () => reject(new Error("the client went away")));
  });
  return Buffer.concat(chunks);
}

function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    const why = error instanceof SyntaxError ? `: ${error.message}` : " in UTF-8";
    throw new DomainError("invalid_argument", "JSON_INVALID", `The body is not valid JSON${why}.`);
  }
}

function tooLarge(maxBytes: number): DomainError {
  const message = `The body is larger than ${maxBytes} bytes, the limit of JSON bodies.`;
  return new DomainError("resource_exhausted", "BODY_TOO_LARGE", message);
}
