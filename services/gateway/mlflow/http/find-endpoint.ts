import type { Endpoint, Method } from "./endpoint.ts";

/** What a path leads to: by one look-up where no part of it is a parameter, which is where clients log. */
export interface EndpointMatch {
  readonly endpoint: Endpoint;
  readonly params: ReadonlyMap<string, string>;
}

export type FindEndpoint = (method: string, path: string) => EndpointMatch | undefined;

const noParams: ReadonlyMap<string, string> = new Map();

export function endpointFinder(endpoints: readonly Endpoint[]): FindEndpoint {
  const fixed = new Map<string, EndpointMatch>();
  const variable: { readonly endpoint: Endpoint; readonly parts: readonly string[] }[] = [];
  for (const endpoint of endpoints) {
    if (endpoint.path.includes("{")) variable.push({ endpoint, parts: endpoint.path.split("/") });
    else
      for (const method of endpoint.methods)
        fixed.set(`${method} ${endpoint.path}`, { endpoint, params: noParams });
  }
  return (method, path) => {
    const found = fixed.get(`${method} ${path}`);
    if (found !== undefined) return found;
    const given = path.split("/");
    for (const { endpoint, parts } of variable) {
      const params = endpoint.methods.includes(method as Method) ? paramsOf(parts, given) : undefined;
      if (params !== undefined) return { endpoint, params };
    }
    return undefined;
  };
}

function paramsOf(
  parts: readonly string[],
  given: readonly string[],
): ReadonlyMap<string, string> | undefined {
  const params = new Map<string, string>();
  for (const [index, part] of parts.entries()) {
    const name = /^\{(\w+)(\*?)\}$/.exec(part);
    const value = given[index];
    if (value === undefined) return undefined;
    if (name?.[1] === undefined) {
      if (value !== part) return undefined;
    } else if (name[2] === "*") {
      params.set(name[1], given.slice(index).join("/"));
      return params;
    } else {
      params.set(name[1], value);
    }
  }
  return given.length === parts.length ? params : undefined;
}
