import { ConnectError } from "@connectrpc/connect";
import { type DomainError, isDomainError } from "@trainyard/domain";
import { callError, isConnectionRefused } from "./call-error.ts";

/** The error as one that can be told to a user; undefined for a bug of this program. */
export function asDomainError(error: unknown, url: string | undefined): DomainError | undefined {
  if (isDomainError(error)) return error;
  if (error instanceof ConnectError || isConnectionRefused(error))
    return callError(error, url ?? "that address");
  // Starting a service wraps what it met: the cause is what can be acted on.
  return error instanceof Error && error.cause !== undefined ? asDomainError(error.cause, url) : undefined;
}
