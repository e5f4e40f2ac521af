import { invalidParameter } from "../domain/mlflow-error.ts";
import { inWords } from "./reasons.ts";

/** Most items that a service gives in one page. */
const MAX_PAGE = 500;

export interface Page<T> {
  readonly items: readonly T[];
  readonly nextPageToken: string;
}

/** MLflow's pages may be larger than the services': several of theirs make one. */
export async function collect<T>(
  wanted: number,
  pageToken: string | undefined,
  fetch: (page: { readonly pageSize: number; readonly pageToken: string }) => Promise<Page<T>>,
): Promise<Page<T>> {
  const items: T[] = [];
  let token = pageToken ?? "";
  do {
    const page = { pageSize: Math.min(wanted - items.length, MAX_PAGE), pageToken: token };
    const read = await withOwnToken(pageToken ?? "", () => fetch(page));
    items.push(...read.items);
    token = read.nextPageToken;
  } while (token !== "" && items.length < wanted);
  return { items, nextPageToken: token };
}

/** A call whose refusal of the client's token is told in MLflow's words. */
export function withOwnToken<T>(token: string, call: () => Promise<T>): Promise<T> {
  return inWords({ INVALID_PAGE_TOKEN: () => invalidToken(token) }, call);
}

/** What MLflow says of a token that it did not make. */
function invalidToken(token: string) {
  return /^[A-Za-z0-9+/]*={0,2}$/.test(token) && token.length % 4 === 0
    ? invalidParameter(`Invalid page token, decoded value=${token}`)
    : invalidParameter("Invalid page token, could not base64-decode");
}

/** The token's field of an answer; absent after the last page. */
export const nextPage = (token: string) => (token === "" ? {} : { next_page_token: token });
