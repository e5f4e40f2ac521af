import { createContextKey, type HandlerContext } from "@connectrpc/connect";

/** What a user may do. "admin" may do everything; "submitter" and "approver" may also read. */
export const roles = ["viewer", "submitter", "approver", "admin"] as const;

export type Role = (typeof roles)[number];

export const principalKinds = ["user", "service", "agent", "rank"] as const;

export type PrincipalKind = (typeof principalKinds)[number];

/** Who makes a call, as the token proved it. */
export interface Principal {
  /** A user's name, a service's ("scheduler"), an agent's node id, or for a rank its run's id. */
  readonly name: string;
  readonly kind: PrincipalKind;
  readonly roles: readonly Role[];
  /** The only project that the principal may touch; absent where it is not limited to one. */
  readonly project?: string;
  /** Of a rank: the run and the attempt that its token is limited to. */
  readonly run?: string;
  readonly attempt?: number;
}

/** How a principal is written as `actor` in events and `createdBy` in documents: `user:ada`, `service:evaluation`. */
export function actorOf(principal: Principal): string {
  return `${principal.kind}:${principal.name}`;
}

/** Where the server's gate leaves the principal for the handlers. */
export const principalKey = createContextKey<Principal | undefined>(undefined, {
  description: "trainyard principal",
});

/** Who makes this call. Throws on a public method, where nobody has proved anything. */
export function principalOf(context: Pick<HandlerContext, "values" | "method">): Principal {
  const principal = context.values.get(principalKey);
  if (principal === undefined) throw new Error(`${context.method.name} is public: it has no principal`);
  return principal;
}
