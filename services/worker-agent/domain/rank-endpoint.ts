/** Where one rank listens, or the store of a gang. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

const MAX_HOST_LENGTH = 253;

/** Reads what a rank has written; undefined when it is none. It goes to other nodes, so it is checked. */
export function endpointFrom(value: unknown): Endpoint | undefined {
  if (typeof value !== "object" || value === null || !("host" in value) || !("port" in value))
    return undefined;
  const { host, port } = value;
  if (typeof host !== "string" || host === "" || host.length > MAX_HOST_LENGTH) return undefined;
  if (typeof port !== "number" || !Number.isInteger(port) || port < 1 || port > 65_535) return undefined;
  return { host, port };
}
