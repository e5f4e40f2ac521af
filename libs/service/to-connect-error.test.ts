import { Code } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import { toConnectError } from "./to-connect-error.ts";

const databaseError = (name: string, code: number) => Object.assign(new Error("no"), { name, code });

describe("what a caller sees of a database's error", () => {
  it.each([
    ["not primary", databaseError("MongoServerError", 10107)],
    ["shutting down", databaseError("MongoBulkWriteError", 91)],
    ["interrupted at shutdown", databaseError("MongoServerError", 11600)],
    [
      "an election, as the driver labels it",
      Object.assign(databaseError("MongoBulkWriteError", 11000), {
        hasErrorLabel: (label: string) => label === "RetryableWriteError",
      }),
    ],
    ["a socket that broke", Object.assign(new Error("write EPIPE"), { code: "EPIPE" })],
  ])("is that it is away: %s", (_case, error) => {
    const seen = toConnectError(error);
    expect([seen.code, seen.rawMessage]).toEqual([
      Code.Unavailable,
      "A part that this service needs is away. Try again.",
    ]);
  });

  it.each([
    ["a row that is there twice", databaseError("MongoServerError", 11000)],
    ["another's error of the same number", databaseError("Error", 91)],
  ])("is a fault of ours: %s", (_case, error) => {
    expect(toConnectError(error).code).toBe(Code.Internal);
  });
});
