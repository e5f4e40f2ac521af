/** Generated contract of package trainyard.gateway.v1. */

export * from "./gen/trainyard/gateway/v1/events_pb.js";
export * from "./gen/trainyard/gateway/v1/gateway_pb.js";
export * from "./gen/trainyard/gateway/v1/node_join_pb.js";
