import { createHash } from "node:crypto";
import { DomainError } from "@trainyard/domain";

/** Longest page token that is looked at: a position is a few keys, of which some may be texts, and never a document. */
export const MAX_PAGE_TOKEN_LENGTH = 16_384;

const FORMAT_VERSION = 1;

/** A value that survives JSON: what a list's position and query are made of. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

/**
 * Makes the opaque token that continues a List. `query` is everything that decides which rows are listed and in which
 * order (filters, project; not the page size); `position` is where the next page begins. The token carries a checksum
 * of the query, so that a token used with another query is refused instead of skipping rows.
 */
export function encodePageToken(query: Json, position: Json): string {
  const body = JSON.stringify({ v: FORMAT_VERSION, q: checksum(query), p: position });
  return Buffer.from(body, "utf8").toString("base64url");
}

/**
 * The position in a token of `encodePageToken`; `undefined` for an empty token (the first page).
 * Throws `invalid_argument` INVALID_PAGE_TOKEN for anything else than a token of this very query.
 */
export function decodePageToken(token: string, query: Json): Json | undefined {
  if (token === "") return undefined;
  if (token.length > MAX_PAGE_TOKEN_LENGTH) throw invalid(`longer than ${MAX_PAGE_TOKEN_LENGTH} characters`);
  const body = parse(token);
  if (typeof body !== "object" || body === null || !("v" in body) || !("q" in body) || !("p" in body)) {
    throw invalid("not one that this service gave out");
  }
  if (body.v !== FORMAT_VERSION) throw invalid("of another version");
  if (body.q !== checksum(query)) throw invalid("of another query: filters may not change between pages");
  return body.p as Json; // Came out of JSON.parse, so it is JSON.
}

function parse(token: string): unknown {
  try {
    return JSON.parse(Buffer.from(token, "base64url").toString("utf8"));
  } catch {
    return undefined;
  }
}

function checksum(query: Json): string {
  return createHash("sha256").update(canonical(query)).digest("base64url").slice(0, 16);
}

/** JSON with sorted keys, so that two spellings of one query have one checksum. */
function canonical(value: Json): string {
  if (isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([key, item]) => `${JSON.stringify(key)}:${canonical(item)}`).join(",")}}`;
}

function isArray(value: Json): value is readonly Json[] {
  return Array.isArray(value);
}

function invalid(what: string): DomainError {
  const description = `The page token is ${what}. Start again without a page token.`;
  return new DomainError("invalid_argument", "INVALID_PAGE_TOKEN", description, {
    violations: [{ field: "page_token", description }],
  });
}
