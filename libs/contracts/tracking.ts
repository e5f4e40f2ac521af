/** Generated contract of package trainyard.tracking.v1. */

export * from "./gen/trainyard/tracking/v1/artifact_service_pb.js";
export * from "./gen/trainyard/tracking/v1/events_pb.js";
export * from "./gen/trainyard/tracking/v1/experiment_service_pb.js";
export * from "./gen/trainyard/tracking/v1/metric_pb.js";
export * from "./gen/trainyard/tracking/v1/run_pb.js";
export * from "./gen/trainyard/tracking/v1/run_service_pb.js";
export * from "./gen/trainyard/tracking/v1/tracking_pb.js";
