const ofItsOwnMachine: ReadonlySet<string> = new Set(["localhost", "127.0.0.1", "[::1]", "0.0.0.0", "[::]"]);

/**
 * An address as this machine can use it: the platform names its parts as it reaches them itself, so a host that means "this
 * machine" there becomes the host under which the platform's gateway was reached from here.
 */
export function reachableUrl(url: string, gatewayUrl: string): string {
  const parsed = new URL(url);
  if (!ofItsOwnMachine.has(parsed.hostname)) return url;
  // Not by the URL's setters: they ignore hosts for schemes that they do not know, such as nats.
  const port = parsed.port === "" ? "" : `:${parsed.port}`;
  const rest = `${parsed.pathname === "/" ? "" : parsed.pathname}${parsed.search}`;
  return `${parsed.protocol}//${new URL(gatewayUrl).hostname}${port}${rest}`;
}
