/** Generated contract of package trainyard.scheduler.v1. */

export * from "./gen/trainyard/scheduler/v1/events_pb.js";
export * from "./gen/trainyard/scheduler/v1/job_pb.js";
export * from "./gen/trainyard/scheduler/v1/node_pb.js";
export * from "./gen/trainyard/scheduler/v1/node_usage_pb.js";
export * from "./gen/trainyard/scheduler/v1/scheduler_pb.js";
export * from "./gen/trainyard/scheduler/v1/secret_pb.js";
