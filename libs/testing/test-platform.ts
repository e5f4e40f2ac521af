import { type NatsServer, type Platform, type PlatformServers, preparePlatform } from "@trainyard/local";
import { atFileEnd } from "./cleanup.ts";
import { tempDir } from "./temp-dir.ts";

/** A platform of the test file's own on free ports, its nats-server and mongod running; gone when the file ends. */
export async function testPlatform(): Promise<{
  readonly platform: Platform;
  readonly servers: PlatformServers;
}> {
  const platform = await preparePlatform(tempDir("platform"), { ports: "free" });
  const servers = await platform.startServers({ dieWithParent: true });
  atFileEnd(() => killServers(servers));
  return { platform, servers };
}

/** Likewise without a database, which takes a second to start and which a node's agent has no use for. */
export async function testPlatformBus(): Promise<{
  readonly platform: Platform;
  readonly nats: NatsServer;
}> {
  const platform = await preparePlatform(tempDir("platform"), { ports: "free" });
  const nats = await platform.startNats({ dieWithParent: true });
  atFileEnd(() => nats.kill("SIGKILL"));
  return { platform, nats };
}

/** Ends servers whose data nobody needs any more, without the time that they take to leave it in order. */
export async function killServers({ nats, mongod }: PlatformServers): Promise<void> {
  await Promise.all([nats.kill("SIGKILL"), mongod.kill("SIGKILL")]);
}
