import { z } from "zod";
import { principalKinds, roles } from "./principal.ts";

/** The `aud` of every token: a token made for something else with the same key is refused. */
export const AUDIENCE = "trainyard";

/** The one signature algorithm: fixed here, so that a token cannot choose. */
export const ALGORITHM = "EdDSA";

/** The kid of an agent's key is this and its node's id. */
export const AGENT_KID_PREFIX = "agent:";

/** What a token says beside the registered claims; `sub` is the principal's name. */
export const claimsSchema = z.object({
  sub: z.string().min(1).max(256),
  kind: z.enum(principalKinds),
  roles: z.array(z.enum(roles)),
  project: z.string().optional(),
  run: z.string().optional(),
  attempt: z.int().positive().optional(),
});
