import { create } from "@bufbuild/protobuf";
import { dataset, scheduler } from "@trainyard/contracts";
import { DomainError } from "@trainyard/domain";
import type { Platform } from "@trainyard/local";
import { createHealth, createVerifier, type RpcServer, rpcServer } from "@trainyard/service";
import { testLogger } from "@trainyard/testing";

type Options = Pick<Parameters<typeof rpcServer>[0], "routes" | "access">;

async function serverAt(
  platform: Platform,
  service: "dataset" | "scheduler",
  options: Options,
): Promise<RpcServer> {
  const env = platform.serviceEnv(service);
  const server = rpcServer({
    name: service,
    host: "127.0.0.1",
    port: Number(env.TRAINYARD_LISTEN_PORT),
    verifier: await createVerifier(env.TRAINYARD_JWKS_FILE ?? ""),
    health: createHealth(),
    logger: testLogger(service),
    ...options,
  });
  await server.start();
  return server;
}

/** Stands in for the dataset service, by its contract, on a real server: so that a test decides what is there and what is deprecated. */
export async function startDatasets(platform: Platform): Promise<RpcServer> {
  const { typeName, method } = dataset.DatasetService;
  const found = (name: string, version: string) => {
    if (name === "missing") {
      throw new DomainError("not_found", "DATASET_NOT_FOUND", 'There is no dataset "missing".');
    }
    return create(dataset.DatasetVersionSchema, {
      id: "dsv_1",
      name,
      version: version === "latest" ? "1.2.3" : version,
      schemaHash: "5c".repeat(32),
      manifestDigest: "3a".repeat(32),
      splits: [{ name: "train" }, { name: "test" }],
      columns: [{ name: "x" }, { name: "label" }],
    });
  };
  return serverAt(platform, "dataset", {
    routes: (router) => {
      router.rpc(method.getDatasetVersion, ({ name, version }) => ({ datasetVersion: found(name, version) }));
      router.rpc(method.resolveDatasetVersion, ({ name, version }) => {
        if (name === "deprecated") {
          throw new DomainError(
            "failed_precondition",
            "DATASET_DEPRECATED",
            "deprecated 1.2.3 is deprecated.",
          );
        }
        return { datasetVersion: found(name, version) };
      });
    },
    access: {
      [`${typeName}/GetDatasetVersion`]: { kinds: ["service"] },
      [`${typeName}/ResolveDatasetVersion`]: { kinds: ["service"] },
    },
  });
}

/** A scheduler that is unavailable, and counts who asks. */
export async function startAwayScheduler(
  platform: Platform,
): Promise<{ readonly asked: () => number; readonly stop: () => Promise<void> }> {
  let asked = 0;
  const { typeName, method } = scheduler.SchedulerService;
  const server = await serverAt(platform, "scheduler", {
    routes: (router) => {
      router.rpc(method.submitJob, () => {
        asked++;
        throw new DomainError("unavailable", "AWAY", "The scheduler is away.");
      });
    },
    access: { [`${typeName}/SubmitJob`]: { kinds: ["service"] } },
  });
  return { asked: () => asked, stop: () => server.stop(AbortSignal.timeout(1_000)) };
}
