import type { PlatformServers } from "@trainyard/local";
import type { Logger } from "@trainyard/telemetry";

const lookEveryMs = 500;

/** Watches the two servers and starts again what died. */
export interface ServerGuard {
  stop(): Promise<void>;
}

/** Starts nats-server or mongod again when it is gone: the services wait for it and carry on. `onRestart` is given its process. */
export function guardServers(
  servers: PlatformServers,
  logger: Logger,
  onRestart: (pid: number | undefined) => Promise<void> = async () => undefined,
): ServerGuard {
  let stopped = false;
  let looking = Promise.resolve();
  const look = async () => {
    for (const server of [servers.nats, servers.mongod]) {
      if (stopped || server.pid() !== undefined) continue;
      logger.error(
        { server: server.name, logFile: server.logFile },
        `${server.name} ended; starting it again`,
      );
      try {
        await server.restart();
        await onRestart(server.pid());
        logger.warn({ server: server.name }, `${server.name} is back`);
      } catch (err) {
        logger.error({ err, server: server.name }, `${server.name} does not start`);
      }
    }
  };
  const timer = setInterval(() => {
    looking = looking.then(look);
  }, lookEveryMs);
  return {
    async stop() {
      stopped = true;
      clearInterval(timer);
      await looking;
    },
  };
}
