import type { HandlerContext } from "@connectrpc/connect";
import { principalOf } from "@trainyard/service";

/** The project a call is about: the token's; services, which are not limited to one, work in the default one unless told. */
export function projectOf(context: HandlerContext): string {
  return principalOf(context).project ?? "default";
}
