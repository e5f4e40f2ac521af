import { once } from "node:events";
import { createServer } from "node:http";

/** A server that reads what it is sent and answers `{}`: what a client could do if the server cost nothing. */
export async function startIdleServer(): Promise<{ readonly url: string; stop(): Promise<void> }> {
  const server = createServer((request, response) => {
    request.on("end", () => response.writeHead(200, { "content-type": "application/json" }).end("{}"));
    request.resume();
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the system gave no port");
  return {
    url: `http://127.0.0.1:${address.port}`,
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
