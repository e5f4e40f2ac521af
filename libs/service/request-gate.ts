import type { HandlerContext } from "@connectrpc/connect";
import type { Logger } from "@trainyard/telemetry";
import { type AccessTable, assertAccess, methodPath } from "./access.ts";
import type { Authenticate } from "./authenticate.ts";
import { principalKey } from "./principal.ts";
import { isUnexpected, toConnectError } from "./to-connect-error.ts";

/**
 * Decides whether a call is let in, by its headers alone and before any of its body is read: nobody without a token
 * makes the service take in megabytes. Leaves the principal for `principalOf`.
 */
export function requestGate(
  access: AccessTable,
  authenticate: Authenticate,
  logger: Logger,
): (context: HandlerContext) => Promise<void> {
  return async (context) => {
    const method = methodPath(context.method);
    const rule = access[method];
    try {
      if (rule === undefined) throw new Error(`${method} has no access rule`);
      if (rule.public === true) return;
      const principal = await authenticate(context.requestHeader.get("authorization"));
      assertAccess(rule, method, principal);
      context.values.set(principalKey, principal);
    } catch (error) {
      if (isUnexpected(error)) logger.error({ err: error, method }, "could not decide on a call");
      else logger.debug({ err: error, method }, "call refused");
      throw toConnectError(error);
    }
  };
}
