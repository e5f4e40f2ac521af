import type { UpstreamCall } from "../proxy/upstreams.ts";
import type { HttpCall } from "./route.ts";

/** How long a call made for a REST request may take: REST clients send no deadline. */
const TIMEOUT_MS = 30_000;

/** The call to a service that answers a REST request. */
export function upstreamCall({ principal, signal }: HttpCall): UpstreamCall {
  return { principal, signal, timeoutMs: TIMEOUT_MS };
}
