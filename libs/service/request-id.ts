import { createHash } from "node:crypto";
import type { Message } from "@bufbuild/protobuf";
import { DomainError } from "@trainyard/domain";

/** Longest request id that a client may choose. */
export const MAX_REQUEST_ID_LENGTH = 128;

/**
 * The request id of a mutating call, checked: 1 to 128 printable ASCII characters without spaces. The client chooses
 * it, and sends the same one when it repeats the call. Throws `invalid_argument` REQUEST_ID_MISSING or
 * REQUEST_ID_INVALID.
 */
export function requestId(text: string): string {
  if (text === "") {
    throw refusal(
      "REQUEST_ID_MISSING",
      "is required: choose one per intended change, and repeat it on a retry",
    );
  }
  if (text.length > MAX_REQUEST_ID_LENGTH || !/^[\x21-\x7e]+$/.test(text)) {
    throw refusal(
      "REQUEST_ID_INVALID",
      `expected 1 to ${MAX_REQUEST_ID_LENGTH} printable ASCII characters, no spaces`,
    );
  }
  return text;
}

/**
 * A digest (SHA-256, hex) of what a request asks for: equal for equal messages, whatever the order of their map
 * entries. By it a request id that comes again with another body is noticed.
 */
export function requestHash(message: Message): string {
  return createHash("sha256").update(canonical(message)).digest("hex");
}

function refusal(reason: string, description: string): DomainError {
  return new DomainError("invalid_argument", reason, `request_id: ${description}.`, {
    violations: [{ field: "request_id", description }],
  });
}

/** JSON with sorted keys, and a spelling for what JSON has none for: bytes, 64-bit integers, NaN and infinities. */
function canonical(value: unknown): string {
  if (value instanceof Uint8Array) return `bytes:${Buffer.from(value).toString("base64")}`;
  if (typeof value === "bigint") return `int:${value}`;
  if (typeof value === "number") return Object.is(value, -0) ? "-0" : String(value);
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null";
  const entries = Object.entries(value).filter(([, item]) => item !== undefined);
  entries.sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([key, item]) => `${JSON.stringify(key)}:${canonical(item)}`).join(",")}}`;
}
