/** Generated contract of package trainyard.evaluation.v1. */
export * from "./gen/trainyard/evaluation/v1/evaluation_pb.js";
export * from "./gen/trainyard/evaluation/v1/events_pb.js";
