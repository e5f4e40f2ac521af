import { describe, expect, it } from "vitest";
import { grpcMessage } from "./grpc-message.ts";

describe("a gRPC status message", () => {
  it.each([
    ["is plain where it is printable ASCII", "3 slots, but 2: ask; fewer?", "3 slots, but 2: ask; fewer?"],
    ["escapes the escape itself", "at most 5 %2C", "at most 5 %252C"],
    ["escapes what is not ASCII, and line breaks", "größe\n🚂", "gr%C3%B6%C3%9Fe%0A%F0%9F%9A%82"],
  ])("%s", (_how, message, sent) => {
    expect(grpcMessage(encodeURIComponent(message))).toBe(sent);
    expect(decodeURIComponent(sent)).toBe(message);
  });
});
