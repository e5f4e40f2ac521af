/** Reads each request, answers `{}`, and prints its port. */
import { once } from "node:events";
import { createServer } from "node:http";

const server = createServer((request, response) => {
  request.resume();
  request.once("end", () => {
    response.setHeader("content-type", "application/json");
    response.end("{}");
  });
}).listen(0, "127.0.0.1");
await once(server, "listening");
const address = server.address();
if (address === null || typeof address === "string") throw new Error("the system gave no port");
console.log(address.port);
