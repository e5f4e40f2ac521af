/** Set-up of this service's integration tests: the gateway on real servers, behind it real or stand-in services. */
import { readFileSync } from "node:fs";
import type { DescService } from "@bufbuild/protobuf";
import type { Client, ServiceImpl } from "@connectrpc/connect";
import { type Bus, connectBus } from "@trainyard/bus";
import { gateway } from "@trainyard/contracts";
import { isDomainError } from "@trainyard/domain";
import {
  type FirstTokens,
  firstTokens,
  firstTokensFile,
  type JoinedNode,
  type Platform,
  type PlatformServers,
} from "@trainyard/local";
import {
  createHealth,
  createVerifier,
  fromConnectError,
  methodPath,
  type RpcServer,
  rpcClient,
  rpcServer,
} from "@trainyard/service";
import { atFileEnd, testLogger, testPlatform } from "@trainyard/testing";
import { build, type GatewayApp, parseGatewayConfig } from "./index.ts";

/** A gateway that serves, with its first tokens. */
export interface TestGateway {
  readonly platform: Platform;
  readonly servers: PlatformServers;
  readonly app: GatewayApp;
  readonly url: string;
  readonly env: Readonly<Record<string, string>>;
  readonly tokens: FirstTokens;
  /** A client that sends this token. */
  client<S extends DescService>(service: S, token: string): Client<S>;
  /** A token made by the first admin. */
  newToken(options?: {
    readonly roles?: readonly string[];
    readonly project?: string;
    readonly ttlSeconds?: number;
  }): Promise<{ readonly secret: string; readonly id: string }>;
}

let requests = 0;
/** A request id that no other call of this process has. */
export const nextRequestId = () => `request-${process.pid}-${++requests}`;

/** Starts a platform's servers and its gateway in this process; gone when the test file ends. */
export async function startGateway(more: Readonly<Record<string, string>> = {}): Promise<TestGateway> {
  const { platform, servers } = await testPlatform();
  const env = gatewayEnv(platform, more);
  const admitNode = (node: JoinedNode) => platform.admitNode(node);
  const app = await build(parseGatewayConfig(env), { logger: testLogger("gateway"), admitNode });
  atFileEnd(() => app.stop());
  await app.start();
  return gatewayAt({ platform, servers, app, env });
}

/** The environment of a platform's gateway, as `up` would set it. */
export function gatewayEnv(platform: Platform, more: Readonly<Record<string, string>> = {}) {
  return {
    ...platform.serviceEnv("gateway"),
    TRAINYARD_BOOTSTRAP_FILE: firstTokensFile(platform.dir),
    TRAINYARD_BOOTSTRAP_USER: "ada",
    ...more,
  };
}

function gatewayAt(parts: Pick<TestGateway, "platform" | "servers" | "app" | "env">): TestGateway {
  const { platform, app } = parts;
  const url = app.url;
  const tokens = firstTokens(platform.dir);
  const client: TestGateway["client"] = (service, token) =>
    rpcClient(service, url, { token: async () => token });
  return {
    ...parts,
    url,
    tokens,
    client,
    async newToken({ roles = ["viewer"], project = "", ttlSeconds = 0 } = {}) {
      const made = await client(gateway.TokenService, tokens.admin).createToken({
        requestId: nextRequestId(),
        principal: "someone",
        roles: [...roles],
        project,
        ttlSeconds: BigInt(ttlSeconds),
      });
      return { secret: made.secret, id: made.token?.id ?? "" };
    },
  };
}

/** A service that stands in for one behind the gateway, on its port: a real server with the real contract. */
export async function standIn<S extends DescService>(
  platform: Platform,
  name: "scheduler" | "tracking" | "dataset",
  service: S,
  handlers: Partial<ServiceImpl<S>>,
): Promise<RpcServer> {
  const everyone = { kinds: ["user", "service"] } as const;
  const health = createHealth();
  health.setStarted(true);
  const server = rpcServer({
    name,
    host: "127.0.0.1",
    port: platform.ports[name],
    routes: (router) => void router.service(service, handlers),
    access: Object.fromEntries(service.methods.map((method) => [methodPath(method), everyone])),
    verifier: await createVerifier(platform.serviceEnv(name).TRAINYARD_JWKS_FILE ?? ""),
    health,
    logger: testLogger(name),
  });
  await server.start();
  atFileEnd(() => server.stop(AbortSignal.timeout(2_000)));
  return server;
}

/** A bus connection with the permissions of that service. */
export async function busAs(
  platform: Platform,
  service: "scheduler" | "tracking" | "registry",
): Promise<Bus> {
  const seed = readFileSync(platform.serviceEnv(service).TRAINYARD_NATS_SEED_FILE ?? "", "utf8");
  const bus = await connectBus({
    servers: platform.natsUrl,
    name: service,
    seed,
    logger: testLogger(service),
  });
  atFileEnd(() => bus.close());
  return bus;
}

/** The reason and message of a call's failure. */
export async function failureOf(
  call: Promise<unknown>,
): Promise<{ code: string; reason: string; message: string }> {
  const error: unknown = await call.then(
    () => undefined,
    (caught: unknown) => fromConnectError(caught),
  );
  if (!isDomainError(error)) return { code: "none", reason: "none", message: "" };
  return { code: error.code, reason: error.reason, message: error.message };
}
