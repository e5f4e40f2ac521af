/** Generated contract of package trainyard.common.v1. */

export * from "./gen/trainyard/common/v1/options_pb.js";
export * from "./gen/trainyard/common/v1/page_pb.js";
