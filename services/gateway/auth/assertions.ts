import type { Principal, Signer } from "@trainyard/service";

/** How long a service believes an assertion. */
const ASSERTION_TTL_MS = 60_000;

/** An assertion is made anew when it has less than this left, so that clocks may differ. */
const RENEW_BEFORE_MS = 20_000;

const MAX_ENTRIES = 1_000;

/** Says to the services whom the gateway has seen. */
export type Assertions = (principal: Principal) => Promise<string>;

/**
 * Signs an assertion per user, reused while it is fresh. It outlives no decision about the token: that is checked at
 * every call, before. A rank's reads are made as the gateway itself, which has limited them to the rank's own run: only
 * the scheduler may speak for ranks.
 */
export function createAssertions(signer: Signer, now: () => number = Date.now): Assertions {
  const made = new Map<string, { readonly token: Promise<string>; readonly renewAt: number }>();
  return (principal) => {
    if (principal.kind !== "user") return signer.selfToken();
    const key = JSON.stringify([principal.name, principal.roles, principal.project]);
    const known = made.get(key);
    if (known !== undefined && now() < known.renewAt) return known.token;
    made.delete(key);
    const [oldest] = made.keys();
    if (made.size >= MAX_ENTRIES && oldest !== undefined) made.delete(oldest);
    const token = signer.sign(principal, ASSERTION_TTL_MS);
    made.set(key, { token, renewAt: now() + ASSERTION_TTL_MS - RENEW_BEFORE_MS });
    return token;
  };
}
