import { generateKeyPairSync } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ServiceImpl } from "@connectrpc/connect";
import { scheduler } from "@trainyard/contracts";
import { createLogger } from "@trainyard/telemetry";
import type { AccessTable } from "./access.ts";
import { createHealth, type Health } from "./health.ts";
import { type RpcServer, type RpcServerOptions, rpcServer } from "./rpc-server.ts";
import { createSigner, type Signer } from "./signer.ts";
import { createVerifier } from "./verifier.ts";

/** Keys of a few services in a folder of their own, as the platform's set-up makes them. */
export interface TestKeys {
  readonly folder: string;
  readonly jwksFile: string;
  /** The file of this service's private key; made, and published in the JWK set, when first asked for. */
  keyFile(kid: string): Promise<string>;
  signer(kid: string, now?: () => number): Promise<Signer>;
  remove(): Promise<void>;
}

export async function testKeys(): Promise<TestKeys> {
  const folder = await mkdtemp(join(tmpdir(), "trainyard-service-"));
  const jwksFile = join(folder, "jwks.json");
  const published: object[] = [];
  const files = new Map<string, string>();
  const publish = () => writeFile(jwksFile, JSON.stringify({ keys: published }));
  await publish();
  async function keyFile(kid: string): Promise<string> {
    const known = files.get(kid);
    if (known !== undefined) return known;
    const { publicKey, privateKey } = generateKeyPairSync("ed25519");
    published.push({ ...publicKey.export({ format: "jwk" }), kid, alg: "EdDSA", use: "sig" });
    await publish();
    const file = join(folder, `${kid.replace(":", "-")}.json`);
    await writeFile(file, JSON.stringify({ ...privateKey.export({ format: "jwk" }), kid, alg: "EdDSA" }));
    files.set(kid, file);
    return file;
  }
  return {
    folder,
    jwksFile,
    keyFile,
    signer: async (kid, now) => await createSigner(await keyFile(kid), now),
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}

const service = "trainyard.scheduler.v1.SchedulerService";

const everyMethod = scheduler.SchedulerService.methods.map(({ name }) => [`${service}/${name}`, {}] as const);

/** Who may do what in the tests: reads for viewers, submits also for services, cancels for approvers; the rest is anyone's. */
export const testAccess: AccessTable = {
  ...Object.fromEntries(everyMethod),
  [`${service}/SubmitJob`]: { roles: ["submitter"], kinds: ["service"] },
  [`${service}/GetJob`]: { roles: ["viewer"], kinds: ["service", "rank"] },
  [`${service}/CancelJob`]: { roles: ["approver"] },
  [`${service}/ListNodes`]: { public: true },
  [`${service}/ExportJobs`]: { roles: ["admin"] },
};

export interface TestServer {
  readonly server: RpcServer;
  readonly health: Health;
  readonly url: string;
  readonly logs: Record<string, unknown>[];
}

/** A real server on a port of its own that offers the scheduler's contract with these handlers. */
export async function startTestServer(
  keys: TestKeys,
  handlers: Partial<ServiceImpl<typeof scheduler.SchedulerService>>,
  options: Partial<RpcServerOptions> = {},
): Promise<TestServer> {
  const logs: Record<string, unknown>[] = [];
  const health = createHealth();
  health.setStarted(true);
  const server = rpcServer({
    name: "scheduler",
    host: "127.0.0.1",
    port: 0,
    routes: (router) => void router.service(scheduler.SchedulerService, handlers),
    access: testAccess,
    verifier: await createVerifier(keys.jwksFile),
    health,
    logger: createLogger({
      service: "scheduler",
      level: "debug",
      destination: { write: (line) => void logs.push(JSON.parse(line)) },
    }),
    ...options,
  });
  await server.start();
  return { server, health: options.health ?? health, url: server.url, logs };
}
