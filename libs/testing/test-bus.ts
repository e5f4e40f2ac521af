import { type Bus, connectBus, generateNkey, natsPermissions } from "@trainyard/bus";
import { type NatsServer, type NatsUser, startNatsServer } from "@trainyard/local";
import { atFileEnd } from "./cleanup.ts";
import { tempDir } from "./temp-dir.ts";
import { testLogger } from "./test-logger.ts";

/** A nats-server of the test file's own, and the seed of a user that may do everything on it. */
export interface TestNats {
  readonly server: NatsServer;
  readonly seed: string;
}

let ofThisFile: Promise<TestNats> | undefined;

async function start(users: readonly NatsUser[]): Promise<TestNats> {
  const { publicKey, seed } = generateNkey();
  const everything: NatsUser = { name: "tester", publicKey, ...natsPermissions("admin") };
  const server = await startNatsServer({
    dir: tempDir("nats"),
    users: [everything, ...users],
    dieWithParent: true,
  });
  atFileEnd(() => server.kill("SIGKILL"));
  return { server, seed };
}

/**
 * The test file's nats-server: the first call starts it, later ones share it. Streams have fixed names, so files do not
 * share one. Given users (to test permissions) or `fresh` (to kill it), a further server is started for the caller.
 */
export async function testNats(
  options: { readonly users?: readonly NatsUser[]; readonly fresh?: boolean } = {},
): Promise<TestNats> {
  if (options.users !== undefined || options.fresh === true) return start(options.users ?? []);
  if (ofThisFile === undefined) {
    ofThisFile = start([]);
    atFileEnd(() => {
      ofThisFile = undefined;
    });
  }
  return ofThisFile;
}

/** A connection to the test file's nats-server (or the one given); closed when the file ends. */
export async function testBus(nats?: TestNats): Promise<Bus> {
  const { server, seed } = nats ?? (await testNats());
  const bus = await connectBus({ servers: server.url, name: "tester", seed, logger: testLogger("test-bus") });
  atFileEnd(() => bus.close());
  return bus;
}
