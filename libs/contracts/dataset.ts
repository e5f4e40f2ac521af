/** Generated contract of package trainyard.dataset.v1. */
export * from "./gen/trainyard/dataset/v1/dataset_pb.js";
export * from "./gen/trainyard/dataset/v1/events_pb.js";
