import { DomainError, isDomainError } from "@trainyard/domain";
import { type Authenticate, bearerToken, type Principal, type Verifier } from "@trainyard/service";
import { looksLikeCredential, parseCredential } from "../domain/credential.ts";
import { type Token, tokenState } from "../domain/token.ts";
import type { EndedAttempts } from "../store/ended-attempts.ts";
import type { Tokens } from "../store/tokens.ts";
import { secretMatches } from "./secret.ts";
import { createTokenCache } from "./token-cache.ts";

/** Decides who is calling, by API token or by a rank's token. */
export interface Authenticator {
  readonly authenticate: Authenticate;
  /** Forgets what is remembered of a token: called when this process has changed it. */
  forget(tokenId: string): void;
}

export interface AuthenticatorDeps {
  readonly tokens: Pick<Tokens, "find">;
  readonly endedAttempts: Pick<EndedAttempts, "has">;
  readonly verifier: Verifier;
}

/**
 * Knows two kinds of credentials: opaque API tokens, and the signed tokens that the scheduler gives to ranks, which are
 * good while their attempt runs. Other parts of the platform do not call through the gateway, so their tokens are
 * refused here.
 */
export function createAuthenticator({ tokens, endedAttempts, verifier }: AuthenticatorDeps): Authenticator {
  const cache = createTokenCache((id) => tokens.find(id));

  async function user(text: string): Promise<Principal> {
    const credential = parseCredential(text);
    const token = credential === undefined ? undefined : await cache.get(credential.tokenId);
    if (
      credential === undefined ||
      token === undefined ||
      !secretMatches(credential.secret, token.secretHash)
    ) {
      throw unknownToken();
    }
    assertActive(token);
    return { name: token.principal, kind: "user", roles: token.roles, project: token.project };
  }

  async function rank(text: string): Promise<Principal> {
    const principal = await verifier.verify(text).catch((error: unknown) => {
      throw isDomainError(error) && error.reason === "TOKEN_INVALID" ? unknownToken() : error;
    });
    const { kind, run, attempt } = principal;
    if (kind !== "rank" || run === undefined || attempt === undefined) throw unknownToken();
    if (await endedAttempts.has(run, attempt)) {
      throw new DomainError(
        "unauthenticated",
        "TOKEN_REVOKED",
        `The token was for attempt ${attempt} of run ${run}, which has ended. Use an API token to read the run.`,
      );
    }
    return principal;
  }

  return {
    async authenticate(authorization) {
      const text = bearerToken(authorization);
      return looksLikeCredential(text) ? await user(text) : await rank(text);
    },
    forget: (tokenId) => cache.forget(tokenId),
  };
}

/** Throws unless the token is in force. Told only to who has the secret. */
function assertActive(token: Token): void {
  switch (tokenState(token, new Date())) {
    case "active":
      return;
    case "expired":
      throw new DomainError(
        "unauthenticated",
        "TOKEN_EXPIRED",
        `The token ${token.id} expired at ${token.expiresAt?.toISOString()}. Ask an admin for a new one (trainyard tokens create).`,
      );
    case "revoked":
      throw new DomainError(
        "unauthenticated",
        "TOKEN_REVOKED",
        `The token ${token.id} was revoked at ${token.revokedAt?.toISOString()}. Ask an admin for a new one (trainyard tokens create).`,
      );
  }
}

function unknownToken(): DomainError {
  return new DomainError(
    "unauthenticated",
    "TOKEN_INVALID",
    "The token is not one that is valid here. Check that it was copied whole and belongs to this platform, or ask an admin for a new one.",
  );
}
