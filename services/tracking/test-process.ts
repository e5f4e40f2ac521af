/** Tracking as a process of its own, on the servers of a service that was never started: one that can be killed. */
import { tracking } from "@trainyard/contracts";
import { rpcClient } from "@trainyard/service";
import { freePort, type ServiceProcess, spawnScript, testSigner } from "@trainyard/testing";
import { clientOf, type MetricClient, type TestTracking, type TrackingClient } from "./test-service.ts";

/** The process, and whoever talks to it. */
export interface TrackingProcess {
  readonly child: ServiceProcess;
  readonly url: string;
  readonly agent: TrackingClient;
  readonly leader: TrackingClient;
  readonly reader: TrackingClient;
  readonly metrics: MetricClient;
}

/** Starts it, with more variables if given. */
export async function spawnTracking(
  service: TestTracking,
  env: Readonly<Record<string, string>> = {},
): Promise<TrackingProcess> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const child = await spawnScript("tracking", {
    script: "services/tracking/main.ts",
    env: { ...service.env, TRAINYARD_LISTEN_PORT: String(port), ...env },
    readyUrl: `${url}/readyz`,
    mayDie: "TRAINYARD_CRASH_AT" in env,
  });
  const as = async (kid: string): Promise<TrackingClient> =>
    rpcClient(tracking.TrackingService, url, { signer: await testSigner(kid), timeoutMs: 60_000 });
  return {
    child,
    url,
    agent: await as("agent:n1"),
    leader: await as("scheduler"),
    reader: await as("evaluation"),
    metrics: await clientOf(tracking.MetricService, url, "user"),
  };
}
