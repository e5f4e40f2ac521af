/** People and ranks who call the service under test. */
import type { DescService } from "@bufbuild/protobuf";
import { type tracking as contract, tracking } from "@trainyard/contracts";
import { fromConnectError, type Principal, rpcClient } from "@trainyard/service";
import { testSigner } from "@trainyard/testing";
import { project, type TestTracking } from "./test-service.ts";

/** Clients of one caller. */
export interface Caller {
  readonly tracking: ReturnType<typeof rpcClient<typeof contract.TrackingService>>;
  readonly runs: ReturnType<typeof rpcClient<typeof contract.RunService>>;
  readonly experiments: ReturnType<typeof rpcClient<typeof contract.ExperimentService>>;
  readonly metrics: ReturnType<typeof rpcClient<typeof contract.MetricService>>;
}

/** The service as this principal calls it, through the gateway; by default a submitter of the tests' project. */
export async function callerOf(
  url: string,
  who: Partial<Principal> & { readonly name: string },
): Promise<Caller> {
  const gateway = await testSigner("gateway");
  const principal: Principal = { kind: "user", roles: ["submitter"], project, ...who };
  const client = <S extends DescService>(service: S) =>
    rpcClient(service, url, { timeoutMs: 60_000, token: () => gateway.sign(principal, 60_000) });
  return {
    tracking: client(tracking.TrackingService),
    runs: client(tracking.RunService),
    experiments: client(tracking.ExperimentService),
    metrics: client(tracking.MetricService),
  };
}

/** The same for the service in this process. */
export function asUser(service: TestTracking, name: string, who: Partial<Principal> = {}): Promise<Caller> {
  return callerOf(service.app.server.url, { name, ...who });
}

let requests = 0;

/** A request id of its own. */
export function nextRequest(): string {
  return `test-request-${++requests}`;
}

/** The error that a call ends with; fails the test when it succeeds. */
export async function errorOf(call: Promise<unknown>): Promise<ReturnType<typeof fromConnectError>> {
  return fromConnectError(
    await call.then(
      () => new Error("it succeeded"),
      (caught: unknown) => caught,
    ),
  );
}

/** Its reason. */
export async function reasonOf(call: Promise<unknown>): Promise<string> {
  return (await errorOf(call)).reason;
}
