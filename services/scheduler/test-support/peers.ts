import { create } from "@bufbuild/protobuf";
import { dataset, tracking } from "@trainyard/contracts";
import { DomainError } from "@trainyard/domain";
import { createHealth, type RpcServer, rpcServer } from "@trainyard/service";
import { testLogger, testVerifier } from "@trainyard/testing";

/** What the peers were asked, and what they answer. */
export interface Peers {
  readonly url: string;
  readonly opened: { readonly runId: string; readonly attempt: number }[];
  /** Where the last attempt was to begin, having no checkpoint of its own. */
  startFrom: string;
  /** What the next attempts resume from. */
  resume: tracking.Checkpoint | undefined;
  /** Whether tracking answers at all. */
  trackingUp: boolean;
  stop(): Promise<void>;
}

/**
 * Stands in for tracking and dataset on a real server with real tokens, so that a test decides which checkpoint there
 * is and when a peer is away; the real services together are the end-to-end tests' concern.
 */
export async function startPeers(): Promise<Peers> {
  const peers = {
    opened: [] as Peers["opened"],
    resume: undefined as Peers["resume"],
    startFrom: "",
    trackingUp: true,
  };
  const anyService = { kinds: ["service"] } as const;
  const methods = [tracking.TrackingService, dataset.DatasetService];
  const served = ["OpenAttempt", "HoldCheckpoint", "ResolveDatasetVersion"];
  const access = methods.flatMap(({ typeName, methods: all }) =>
    all.map(({ name }) => `${typeName}/${name}`),
  );
  const server: RpcServer = rpcServer({
    name: "peers",
    host: "127.0.0.1",
    port: 0,
    routes: (router) => {
      router.rpc(tracking.TrackingService.method.openAttempt, ({ runId, attempt, startFromCheckpointId }) => {
        if (!peers.trackingUp) throw new DomainError("unavailable", "TRACKING_DOWN", "tracking is away");
        peers.opened.push({ runId, attempt });
        peers.startFrom = startFromCheckpointId;
        return create(
          tracking.OpenAttemptResponseSchema,
          peers.resume === undefined ? {} : { resume: peers.resume },
        );
      });
      router.rpc(tracking.TrackingService.method.holdCheckpoint, ({ runId, step = 70n }) => {
        if (step > 70n)
          throw new DomainError("not_found", "CHECKPOINT_NOT_FOUND", "It has those of steps 70.");
        return create(tracking.HoldCheckpointResponseSchema, {
          checkpoint: { id: `ckpt_of_${runId}`, runId, step },
        });
      });
      router.rpc(dataset.DatasetService.method.resolveDatasetVersion, ({ name }) => {
        if (name === "missing") {
          throw new DomainError("not_found", "DATASET_NOT_FOUND", 'There is no dataset "missing".', {
            violations: [{ field: "name", description: 'there is no dataset "missing"' }],
          });
        }
        const datasetVersion = {
          id: "dsv_1",
          name,
          version: "1.2.3",
          schemaHash: "5c",
          manifestDigest: "3a",
        };
        return create(dataset.ResolveDatasetVersionResponseSchema, { datasetVersion });
      });
    },
    access: Object.fromEntries(
      access
        .filter((path) => served.some((name) => path.endsWith(`/${name}`)))
        .map((path) => [path, anyService]),
    ),
    verifier: await testVerifier(),
    health: createHealth(),
    logger: testLogger("peers"),
  });
  await server.start();
  return Object.assign(peers, { url: server.url, stop: () => server.stop(AbortSignal.timeout(1_000)) });
}
