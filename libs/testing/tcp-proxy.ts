import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { atFileEnd } from "./cleanup.ts";

/** A way to a server on this machine that can be made slow, or be broken. */
export interface TcpProxy {
  readonly port: number;
  /** How much later everything arrives from now on, each way, in order. */
  delay(ms: number): void;
  /** Breaks every connection and refuses new ones, until `heal`. */
  cut(): void;
  heal(): void;
}

/** Listens on a free port of loopback and passes on what comes to the server's; gone when the test file ends. */
export async function tcpProxy(target: { readonly host: string; readonly port: number }): Promise<TcpProxy> {
  const open = new Set<Socket>();
  let delayMs = 0;
  let isCut = false;

  function passOn(from: Socket, to: Socket): void {
    const underWay: Buffer[] = [];
    from.on("data", (chunk) => {
      underWay.push(chunk);
      // Whichever timer comes first takes the oldest, so that nothing is overtaken when the delay changes.
      setTimeout(() => {
        const oldest = underWay.shift();
        if (oldest !== undefined && to.writable) to.write(oldest);
      }, delayMs);
    });
    from.on("close", () => to.destroy());
    // Both ends hear of a broken connection by its close.
    from.on("error", () => undefined);
  }

  const server = createServer((client) => {
    if (isCut) return void client.destroy();
    const upstream = connect(target);
    for (const socket of [client, upstream]) {
      socket.setNoDelay(true);
      open.add(socket);
      socket.once("close", () => open.delete(socket));
    }
    passOn(client, upstream);
    passOn(upstream, client);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const cut = () => {
    isCut = true;
    for (const socket of open) socket.destroy();
  };
  atFileEnd(async () => {
    cut();
    server.close();
    await once(server, "close");
  });
  // A server that listens on TCP has such an address.
  const { port } = server.address() as AddressInfo;
  return {
    port,
    delay: (ms) => {
      delayMs = ms;
    },
    cut,
    heal: () => {
      isCut = false;
    },
  };
}
