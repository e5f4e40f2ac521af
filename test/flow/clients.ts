import { createHash } from "node:crypto";
import type { Client } from "@connectrpc/connect";
import { dataset, evaluation, gateway, registry, scheduler, tracking } from "@trainyard/contracts";
import { fromConnectError, rpcClient } from "@trainyard/service";
import { waitFor } from "@trainyard/testing";

/** What a user can call, through the gateway. */
export interface FlowClients {
  readonly scheduler: Client<typeof scheduler.SchedulerService>;
  readonly tracking: Client<typeof tracking.TrackingService>;
  readonly dataset: Client<typeof dataset.DatasetService>;
  readonly evaluation: Client<typeof evaluation.EvaluationService>;
  readonly registry: Client<typeof registry.RegistryService>;
  readonly events: Client<typeof gateway.EventService>;
  upload(bytes: Uint8Array): Promise<string>;
}

export function flowClients(url: string, secret: string): FlowClients {
  const options = { token: async () => secret, timeoutMs: 30_000 };
  return {
    scheduler: rpcClient(scheduler.SchedulerService, url, options),
    tracking: rpcClient(tracking.TrackingService, url, options),
    dataset: rpcClient(dataset.DatasetService, url, options),
    evaluation: rpcClient(evaluation.EvaluationService, url, options),
    registry: rpcClient(registry.RegistryService, url, options),
    events: rpcClient(gateway.EventService, url, options),
    async upload(bytes) {
      const digest = createHash("sha256").update(bytes).digest("hex");
      const answer = await fetch(`${url}/api/v1/blobs/${digest}`, {
        method: "PUT",
        headers: { authorization: `Bearer ${secret}`, "content-type": "application/octet-stream" },
        body: new Uint8Array(bytes),
      });
      if (!answer.ok) throw new Error(`upload answered ${answer.status}: ${await answer.text()}`);
      return digest;
    },
  };
}

/** Errors that a careful client repeats a call for: the other side was away, or it cannot be known whether the call took effect. */
const passing = new Set(["unavailable", "deadline_exceeded", "internal", "aborted"]);

/** Calls again, with the same request, until the platform answers: what every client does when a service is restarted under it. */
export async function insist<T>(what: string, call: () => Promise<T>, timeoutMs = 180_000): Promise<T> {
  let refused: Error | undefined;
  const answer = await waitFor(
    what,
    async () => {
      try {
        return { value: await call() };
      } catch (error) {
        const known = fromConnectError(error);
        if (passing.has(known.code) || error instanceof TypeError) throw known;
        refused = known;
        return { value: undefined };
      }
    },
    { timeoutMs, intervalMs: 100 },
  );
  if (refused !== undefined) throw refused;
  // Refusals are thrown above, so this is what the call gave.
  return answer.value as T;
}
