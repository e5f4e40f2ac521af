import { DomainError } from "@trainyard/domain";
import type { Route } from "./route.ts";

/** What a method and a path lead to. */
export type RouteMatch =
  | { readonly kind: "found"; readonly route: Route; readonly params: ReadonlyMap<string, string> }
  | { readonly kind: "wrong-method"; readonly allowed: readonly string[] }
  | { readonly kind: "none" };

/**
 * Finds the route by the path as it was sent, part by part: nothing like `..` is resolved first, so a path means what
 * it says. Throws `invalid_argument` PATH_INVALID for one that cannot be decoded.
 */
export function matchRoute(routes: readonly Route[], method: string, path: string): RouteMatch {
  const parts = path.split("/").map(decodePart);
  const matching = routes.flatMap((route) => {
    const params = paramsOf(route.path, parts);
    return params === undefined ? [] : [{ route, params }];
  });
  if (matching.length === 0) return { kind: "none" };
  const found = matching.find(({ route }) => route.method === method);
  if (found !== undefined) return { kind: "found", ...found };
  return { kind: "wrong-method", allowed: matching.map(({ route }) => route.method) };
}

function paramsOf(pattern: string, parts: readonly string[]): ReadonlyMap<string, string> | undefined {
  const wanted = pattern.split("/");
  if (wanted.length !== parts.length) return undefined;
  const params = new Map<string, string>();
  for (const [index, part] of parts.entries()) {
    const expected = wanted[index] ?? "";
    const name = /^\{(\w+)\}$/.exec(expected)?.[1];
    if (name !== undefined && part !== "") params.set(name, part);
    else if (part !== expected) return undefined;
  }
  return params;
}

function decodePart(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new DomainError("invalid_argument", "PATH_INVALID", "The path has a malformed percent-encoding.");
  }
}
