import type { DomainError } from "@trainyard/domain";
import { fromConnectError } from "@trainyard/service";
import { expect } from "vitest";
import type { UnderTest } from "../under-test.ts";
import { footprint } from "./footprint.ts";

/** What a call is refused with. Fails when it is not refused, or when anything of the platform is another afterwards. */
export async function refused(under: UnderTest, call: () => Promise<unknown>): Promise<DomainError> {
  const before = await footprint(under.user);
  const error = await call().then(
    (answer) => Promise.reject(new Error(`it was accepted: ${String(answer)}`)),
    (failure: unknown) => fromConnectError(failure),
  );
  expect(await footprint(under.user)).toEqual(before);
  return error;
}
