/** Runs nats-server or mongod of the state folder until it is told to stop: `node deploy/tilt/run-server.ts nats`. */
import { once } from "node:events";
import { preparePlatform } from "@trainyard/local";
import { stateDir } from "../state-dir.ts";

const wanted = process.argv[2];
if (wanted !== "nats" && wanted !== "mongod") {
  process.stderr.write("usage: node deploy/tilt/run-server.ts nats|mongod\n");
  process.exit(2);
}

const stopping = Promise.race([once(process, "SIGTERM"), once(process, "SIGINT")]);
const platform = await preparePlatform(stateDir());
const start = {
  nats: () => platform.startNats({ dieWithParent: true }),
  mongod: () => platform.startMongod({ dieWithParent: true }),
};
const server = await start[wanted]();
process.stdout.write(`${server.name} listens on port ${server.port}; its log is ${server.logFile}\n`);
// The servers are processes of their own: without a timer nothing would keep this one alive until the signal.
const alive = setInterval(() => undefined, 60_000);
await stopping;
clearInterval(alive);
await server.stop();
