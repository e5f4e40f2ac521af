import type { common } from "@trainyard/contracts";
import { pageQuery } from "@trainyard/service";
import { decodePageToken, type Json } from "@trainyard/store";
import type { Place, Search } from "../domain/search/plan.ts";
import type { Found } from "../store/search.ts";

/** A page of a search: so many rows, after this one. */
export function searchPage(
  request: common.PageRequest | undefined,
  query: Json,
): { readonly size: number; readonly after: Search["after"] | undefined } {
  const { size, token } = pageQuery(request);
  const position = decodePageToken(token, query);
  // A token of this very query holds what `searchPosition` made.
  return { size, after: position === undefined ? undefined : afterOf(position as [Place[], string]) };
}

function afterOf([places, id]: [Place[], string]): NonNullable<Search["after"]> {
  return { places, id };
}

/** Where the next page begins: after this row, wherever rows come or go meanwhile. */
export function searchPosition({ places, id }: Found): Json {
  return [places, id];
}
