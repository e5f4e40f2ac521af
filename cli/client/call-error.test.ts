import { Code, ConnectError } from "@connectrpc/connect";
import { errorDetails } from "@trainyard/contracts";
import { expect, it } from "vitest";
import { callError, isTransient } from "./call-error.ts";

it.each([Code.Aborted, Code.Canceled, Code.Unavailable])(
  "calls a platform that went away in mid-call (code %s) unavailable, and worth another try",
  (code) => {
    const broken = new ConnectError("socket hang up", code);
    expect(callError(broken, "http://127.0.0.1:7700").code).toBe("unavailable");
    expect(isTransient(broken)).toBe(true);
  },
);

it("tries no version conflict again, which a service has told with its reason", () => {
  const info = {
    desc: errorDetails.ErrorInfoSchema,
    value: { reason: "MODEL_CHANGED", domain: "trainyard" },
  };
  const conflict = new ConnectError("the model has changed", Code.Aborted, undefined, [info]);
  expect(callError(conflict, "http://127.0.0.1:7700")).toMatchObject({
    code: "aborted",
    reason: "MODEL_CHANGED",
  });
  expect(isTransient(conflict)).toBe(false);
});
