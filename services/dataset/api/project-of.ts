import type { HandlerContext } from "@connectrpc/connect";
import { principalOf } from "@trainyard/service";

/** The project a call is about: the token's; callers that are not limited to one work in the default one. */
export function projectOf(context: HandlerContext): string {
  return principalOf(context).project ?? "default";
}
