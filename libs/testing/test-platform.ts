import { type Platform, type PlatformServers, preparePlatform } from "@trainyard/local";
import { atFileEnd } from "./cleanup.ts";
import { tempDir } from "./temp-dir.ts";

/** A platform of the test file's own on free ports, its nats-server and mongod running; gone when the file ends. */
export async function testPlatform(): Promise<{
  readonly platform: Platform;
  readonly servers: PlatformServers;
}> {
  const platform = await preparePlatform(tempDir("platform"), { ports: "free" });
  const servers = await platform.startServers({ dieWithParent: true });
  atFileEnd(() => servers.stop());
  return { platform, servers };
}
