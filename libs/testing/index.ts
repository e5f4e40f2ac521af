/** What integration and end-to-end tests stand on: real servers, isolated names, waiting with a deadline. */
export { freePort } from "@trainyard/local";
export { atFileEnd, closeAll } from "./cleanup.ts";
export { type SmallDisk, smallDisk } from "./small-disk.ts";
export {
  type ServiceProcess,
  type SpawnOptions,
  spawnAgent,
  spawnScript,
  spawnService,
} from "./spawn-service.ts";
export { type TcpProxy, tcpProxy } from "./tcp-proxy.ts";
export { tempDir } from "./temp-dir.ts";
export { type TestNats, testBus, testNats } from "./test-bus.ts";
export { testKeys, testSigner, testVerifier } from "./test-keys.ts";
export { testLogger } from "./test-logger.ts";
export { type NetworkNode, type TestNetwork, testNetwork } from "./test-network.ts";
export { killServers, testPlatform, testPlatformBus } from "./test-platform.ts";
export { type TestS3, testS3 } from "./test-s3.ts";
export { type TestSpan, testSpans } from "./test-spans.ts";
export { type TestDatabase, testDatabase, testStore } from "./test-store.ts";
export { type WaitOptions, waitFor } from "./wait-for.ts";
