/** Generated contract of package trainyard.registry.v1. */

export * from "./gen/trainyard/registry/v1/catalog_service_pb.js";
export * from "./gen/trainyard/registry/v1/events_pb.js";
export * from "./gen/trainyard/registry/v1/logged_model_service_pb.js";
export * from "./gen/trainyard/registry/v1/registry_pb.js";
