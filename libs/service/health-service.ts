import { setTimeout as sleep } from "node:timers/promises";
import type { ServiceImpl } from "@connectrpc/connect";
import { health as contract } from "@trainyard/contracts";
import { DomainError } from "@trainyard/domain";
import type { Health } from "./health.ts";

/** How often a watcher's answer is looked at anew. */
const WATCH_INTERVAL_MS = 1_000;

const { HealthCheckResponse_ServingStatus: Status } = contract;

/** grpc.health.v1 over a service's health. The name "" asks about the whole process, as do its services' names. */
export function healthService(
  health: Health,
  serviceNames: ReadonlySet<string>,
): ServiceImpl<typeof contract.Health> {
  const known = (name: string) => name === "" || serviceNames.has(name);
  const status = async () => ((await health.readiness()).ready ? Status.SERVING : Status.NOT_SERVING);
  return {
    async check({ service }) {
      if (known(service)) return { status: await status() };
      throw new DomainError(
        "not_found",
        "SERVICE_UNKNOWN",
        `No service ${JSON.stringify(service)} is served here.`,
      );
    },
    // Says the status at once and then whenever it changes, until the client or the server leaves.
    async *watch({ service }, context) {
      let last: number | undefined;
      while (!context.signal.aborted) {
        const now = known(service) ? await status() : Status.SERVICE_UNKNOWN;
        if (now !== last) yield { status: now };
        last = now;
        await sleep(WATCH_INTERVAL_MS, undefined, { signal: context.signal }).catch(() => undefined);
      }
    },
  };
}
