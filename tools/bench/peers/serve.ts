import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";

/** Answers `{}` to each request when it has been taken, and prints the port: what every peer that is a bare server is. */
export async function serve(take: (request: IncomingMessage) => Promise<unknown>): Promise<void> {
  const server = createServer(async (request, response) => {
    await take(request);
    response.setHeader("content-type", "application/json");
    response.end("{}");
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the system gave no port");
  console.log(address.port);
}
