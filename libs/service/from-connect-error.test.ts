import { Code, ConnectError } from "@connectrpc/connect";
import { DomainError } from "@trainyard/domain";
import { expect, it } from "vitest";
import { fromConnectError } from "./from-connect-error.ts";
import { toConnectError } from "./to-connect-error.ts";

it.each([
  ["broke", Code.Aborted, "ABORTED"],
  ["was reset", Code.Canceled, "CANCELED"],
  ["could not be made", Code.Unavailable, "UNAVAILABLE"],
])("calls a service whose connection %s unavailable", (_what, code, reason) => {
  expect(fromConnectError(new ConnectError("socket hang up", code))).toMatchObject({
    code: "unavailable",
    reason,
  });
});

it("keeps a version conflict that a service has told, with its reason", () => {
  const told = toConnectError(new DomainError("aborted", "ATTEMPT_FENCED", "a newer attempt is open"));
  expect(fromConnectError(told)).toMatchObject({ code: "aborted", reason: "ATTEMPT_FENCED" });
});
