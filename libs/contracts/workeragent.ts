/** Generated contract of package trainyard.workeragent.v1. */
export * from "./gen/trainyard/workeragent/v1/desired_state_pb.js";
export * from "./gen/trainyard/workeragent/v1/handover_pb.js";
export * from "./gen/trainyard/workeragent/v1/heartbeat_pb.js";
export * from "./gen/trainyard/workeragent/v1/stacks_pb.js";
export * from "./gen/trainyard/workeragent/v1/telemetry_pb.js";
