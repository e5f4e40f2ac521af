/** Finds, configures and runs what a platform on one machine stands on: nats-server, mongod, secrets, ports. */
export { checkoutRoot, setupCommand } from "./checkout.ts";
export { findMongod, findNatsServer, findPython, findUv, findVersitygw } from "./find-program.ts";
export { type FirstTokens, firstTokens, firstTokensFile } from "./first-tokens.ts";
export { freePort, isPortFree } from "./free-port.ts";
export type { JoinedNode } from "./joined-nodes.ts";
export { type Mongod, type MongodOptions, startMongod } from "./mongod.ts";
export type { MongodUser } from "./mongod-admin.ts";
export {
  type NatsServer,
  type NatsServerOptions,
  type NatsUser,
  setNatsUsers,
  startNatsServer,
} from "./nats-server.ts";
export {
  type AgentRecord,
  type Platform,
  type PlatformOptions,
  type PlatformServers,
  preparePlatform,
  type StartServersOptions,
} from "./platform.ts";
export { poll } from "./poll.ts";
export { identifyProcess, isRunning, type ProcessIdentity, signalProcess } from "./process-identity.ts";
export { busCredential, type Jwk, publicJwk, signingKeyFile } from "./secrets.ts";
export {
  type BusUserName,
  databaseOf,
  defaultPorts,
  type Hosts,
  type PortName,
  type Ports,
  type ServiceName,
  serviceNames,
} from "./service-names.ts";
