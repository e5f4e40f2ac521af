import type { common } from "@trainyard/contracts";
import { pageQuery } from "@trainyard/service";
import { decodePageToken, encodePageToken, type Json } from "@trainyard/store";

/** A page to be read: ids before `before`, at most `size`. */
export interface Page {
  readonly size: number;
  readonly before: string | undefined;
}

/** What a request asks for. `query` is all that decides which rows are listed: a token is good for it only. */
export function pageOf(request: common.PageRequest | undefined, query: Json): Page {
  const { size, token } = pageQuery(request);
  const position = decodePageToken(token, query);
  return { size, before: typeof position === "string" ? position : undefined };
}

/** The rows of the page, of `size + 1` that were read, and where the next one begins. */
export function pageInfo<T extends { readonly id: string }>(
  rows: readonly T[],
  { size }: Page,
  query: Json,
): { readonly rows: readonly T[]; readonly page: { readonly nextPageToken: string } } {
  const shown = rows.slice(0, size);
  const last = rows.length > size ? shown.at(-1) : undefined;
  return { rows: shown, page: { nextPageToken: last === undefined ? "" : encodePageToken(query, last.id) } };
}
