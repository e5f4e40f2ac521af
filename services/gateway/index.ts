/** The gateway service: the edge, where people and their tools come in. */
export { build, type GatewayApp, type GatewayDeps } from "./app.ts";
export { type GatewayConfig, parseGatewayConfig } from "./config.ts";
