/** What every service is made of: configuration, lifecycle, health, identity, the RPC server and clients. */
export { type AccessRule, type AccessTable, assertAccess, hasRole, methodPath } from "./access.ts";
export { type App, type AppOptions, createApp } from "./app.ts";
export { type Authenticate, bearerAuthenticate, bearerToken } from "./authenticate.ts";
export { baseConfigShape, blobMaxBytes, boolVar, intVar, urlVar } from "./base-config.ts";
export { ConfigError, describeConfig, envName, parseConfig } from "./config.ts";
export { type Foundation, type FoundationConfig, layFoundation } from "./foundation.ts";
export { fromConnectError } from "./from-connect-error.ts";
export { createHealth, type Health, type HealthOptions, type Readiness } from "./health.ts";
export { mutate } from "./mutate.ts";
export { sendJson } from "./ops-endpoints.ts";
export { DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE, type PageQuery, pageQuery } from "./page-request.ts";
export type { Part } from "./part.ts";
export {
  actorOf,
  type Principal,
  type PrincipalKind,
  principalKey,
  principalKinds,
  principalOf,
  type Role,
  roles,
} from "./principal.ts";
export { defaultProject, inProject, projectOf } from "./project.ts";
export { MAX_REQUEST_ID_LENGTH, requestHash, requestId } from "./request-id.ts";
export { type RpcClientOptions, rpcClient, rpcTransport } from "./rpc-client.ts";
export { type RpcServer, type RpcServerOptions, rpcServer } from "./rpc-server.ts";
export { describeFailure, exitCodes, runMain } from "./run-main.ts";
export type { HttpHandler } from "./shared-port-server.ts";
export {
  type DesiredReading,
  MAX_DESIRED_STATE_BYTES,
  readDesiredState,
  signDesiredState,
} from "./signed-desired-state.ts";
export { readStackRequest, signStackRequest } from "./signed-stack-request.ts";
export { createSigner, type Signer } from "./signer.ts";
export { ERROR_DOMAIN, toConnectError } from "./to-connect-error.ts";
export { createVerifier, mayAssert, type Verifier } from "./verifier.ts";
