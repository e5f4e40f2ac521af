/** Generated contract of google.rpc's error details: what rides on a failed call. */
export * from "./gen/google/rpc/error_details_pb.js";
