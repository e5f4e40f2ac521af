import { randomInt } from "node:crypto";
import { createServer } from "node:net";

/**
 * The range that ports are drawn from. It lies below the kernel's ephemeral ports (32768 and up on Linux): a server that
 * is killed and restarted on its port must not find that some client's outgoing connection was given it meanwhile, and a
 * client that retries a closed ephemeral port can even connect to itself.
 */
const lowestPort = 15_000;
const highestPort = 32_000;

const handedOut = new Set<number>();

/** True when nothing listens there, so that a server could. */
export function isPortFree(port: number, host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(true)));
  });
}

/** A TCP port that nothing listens on, never the same twice in one process. */
export async function freePort(host = "127.0.0.1"): Promise<number> {
  for (let tries = 0; tries < 200; tries += 1) {
    const port = randomInt(lowestPort, highestPort);
    if (handedOut.has(port) || !(await isPortFree(port, host))) continue;
    handedOut.add(port);
    return port;
  }
  throw new Error(`no free TCP port between ${lowestPort} and ${highestPort} on ${host} in 200 tries`);
}
