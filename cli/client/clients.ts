import type { DescService } from "@bufbuild/protobuf";
import { type Client, createClient, type Interceptor, type Transport } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { dataset, evaluation, gateway, registry, scheduler, tracking } from "@trainyard/contracts";
import { MAX_MESSAGE_BYTES, wideSessions } from "@trainyard/grpc";
import type { PlatformAddress } from "./find-platform.ts";

/** How long an ordinary call may take. Streams pass `timeoutMs: 0`. */
const callTimeoutMs = 15_000;

/** A client for each service, all over one connection to the gateway. */
export interface Clients {
  readonly scheduler: Client<typeof scheduler.SchedulerService>;
  readonly secrets: Client<typeof scheduler.SecretService>;
  readonly tracking: Client<typeof tracking.TrackingService>;
  readonly runs: Client<typeof tracking.RunService>;
  readonly experiments: Client<typeof tracking.ExperimentService>;
  readonly metrics: Client<typeof tracking.MetricService>;
  readonly artifacts: Client<typeof tracking.ArtifactService>;
  readonly dataset: Client<typeof dataset.DatasetService>;
  readonly evaluation: Client<typeof evaluation.EvaluationService>;
  readonly registry: Client<typeof registry.RegistryService>;
  readonly catalog: Client<typeof registry.CatalogService>;
  readonly loggedModels: Client<typeof registry.LoggedModelService>;
  readonly tokens: Client<typeof gateway.TokenService>;
  readonly joins: Client<typeof gateway.NodeJoinService>;
  readonly events: Client<typeof gateway.EventService>;
  readonly deadLetters: Client<typeof gateway.DeadLetterService>;
}

/** Makes the clients; nothing is connected before the first call. */
export function createClients(
  { url, token }: PlatformAddress,
  headers: Readonly<Record<string, string>> = {},
): Clients {
  const withHeaders: Interceptor = (next) => (request) => {
    if (token !== undefined) request.header.set("authorization", `Bearer ${token}`);
    for (const [name, value] of Object.entries(headers)) request.header.set(name, value);
    return next(request);
  };
  const transport: Transport = createGrpcTransport({
    baseUrl: url,
    defaultTimeoutMs: callTimeoutMs,
    // More is refused here, where it can be said clearly.
    writeMaxBytes: MAX_MESSAGE_BYTES,
    readMaxBytes: MAX_MESSAGE_BYTES,
    sessionManager: wideSessions(url, { pingIntervalMs: 20_000 }),
    interceptors: [withHeaders],
  });
  const client = <S extends DescService>(service: S) => createClient(service, transport);
  return {
    scheduler: client(scheduler.SchedulerService),
    secrets: client(scheduler.SecretService),
    tracking: client(tracking.TrackingService),
    runs: client(tracking.RunService),
    experiments: client(tracking.ExperimentService),
    metrics: client(tracking.MetricService),
    artifacts: client(tracking.ArtifactService),
    dataset: client(dataset.DatasetService),
    evaluation: client(evaluation.EvaluationService),
    registry: client(registry.RegistryService),
    catalog: client(registry.CatalogService),
    loggedModels: client(registry.LoggedModelService),
    tokens: client(gateway.TokenService),
    joins: client(gateway.NodeJoinService),
    events: client(gateway.EventService),
    deadLetters: client(gateway.DeadLetterService),
  };
}
