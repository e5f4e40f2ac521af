import type { AccessTable } from "@trainyard/service";
import { proxyAccess } from "../proxy/proxied-methods.ts";

const tokens = "trainyard.gateway.v1.TokenService";
const nodeJoin = "trainyard.gateway.v1.NodeJoinService";
const events = "trainyard.gateway.v1.EventService";
const deadLetters = "trainyard.gateway.v1.DeadLetterService";
const admin = { roles: ["admin"] } as const;

/** Who may call what of the gateway's own, and who gets through to the services behind it. */
export const access: AccessTable = {
  ...proxyAccess,
  [`${tokens}/CreateToken`]: admin,
  [`${tokens}/ListTokens`]: admin,
  [`${tokens}/RevokeToken`]: admin,
  [`${tokens}/WhoAmI`]: {},
  [`${nodeJoin}/CreateJoinToken`]: admin,
  // Its credential is the join token in the request.
  [`${nodeJoin}/JoinNode`]: { public: true },
  [`${events}/TailEvents`]: { roles: ["viewer"] },
  [`${deadLetters}/ListDeadLetters`]: admin,
  [`${deadLetters}/GetDeadLetter`]: admin,
  [`${deadLetters}/ReplayDeadLetter`]: admin,
};
