/** Generated contract of package grpc.reflection.v1. */
export * from "./gen/grpc/reflection/v1/reflection_pb.js";
