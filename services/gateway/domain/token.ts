/** What a token may let its holder do, in the platform's words. */
export const tokenRoles = ["viewer", "submitter", "approver", "admin"] as const;

export type TokenRole = (typeof tokenRoles)[number];

/** An API token as it is kept: everything but its secret, of which only a digest is known. */
export interface Token {
  /** "tok_…" */
  readonly id: string;
  /** Whom it speaks for. */
  readonly principal: string;
  readonly roles: readonly TokenRole[];
  readonly project: string;
  /** SHA-256 of the secret, lower-case hex. The secret is random and long, so a slow hash would add nothing. */
  readonly secretHash: string;
  readonly createdBy: string;
  readonly createdAt: Date;
  /** Absent: it never expires. */
  readonly expiresAt?: Date;
  readonly revokedAt?: Date;
  /** Rises by one with every change. */
  readonly version: number;
}

/** Whether a token still opens anything. Revoked wins over expired: it is what somebody decided. */
export function tokenState(
  token: Pick<Token, "expiresAt" | "revokedAt">,
  now: Date,
): "active" | "expired" | "revoked" {
  if (token.revokedAt !== undefined) return "revoked";
  return token.expiresAt !== undefined && token.expiresAt <= now ? "expired" : "active";
}

/** The token after it was ended; one that was ended before stays as it is. */
export function revoke(token: Token, now: Date): Token {
  return token.revokedAt === undefined ? { ...token, revokedAt: now, version: token.version + 1 } : token;
}
