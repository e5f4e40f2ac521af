import { DomainError } from "@trainyard/domain";

/** What a machine proves itself with once it has joined; both are public halves. */
export interface NodeKeys {
  /** Ed25519, 32 bytes in base64url. */
  readonly signingKey: string;
  /** An nkey of a user of the bus. */
  readonly busKey: string;
}

/** Lets one machine join under one name, once. */
export interface JoinToken {
  /** "join_…" */
  readonly id: string;
  readonly nodeId: string;
  /** SHA-256 of the secret, lower-case hex. */
  readonly secretHash: string;
  readonly createdBy: string;
  readonly createdAt: Date;
  readonly expiresAt: Date;
  /** Who has used it; absent before. */
  readonly used?: NodeKeys & { readonly at: Date };
  /** When a later token of the same node was used, whose keys count since then. */
  readonly supersededAt?: Date;
  /** Rises by one with every change. */
  readonly version: number;
}

export const DEFAULT_JOIN_TTL_SECONDS = 3_600;
export const MIN_JOIN_TTL_SECONDS = 60;
export const MAX_JOIN_TTL_SECONDS = 7 * 24 * 3_600;

const NODE_ID = /^[a-zA-Z0-9_][a-zA-Z0-9_-]{0,127}$/;
const SIGNING_KEY = /^[A-Za-z0-9_-]{43}$/;
const BUS_KEY = /^U[A-Z2-7]{55}$/;
const CREDENTIAL = /^tyj_([0-9a-z]{26})_([A-Za-z0-9_-]{43})$/;

/** When a token that is asked for now ends. Throws NODE_ID_INVALID or TTL_INVALID. */
export function joinTokenEnd(nodeId: string, ttlSeconds: number, now: Date): Date {
  if (!NODE_ID.test(nodeId)) {
    const got = JSON.stringify(nodeId.slice(0, 64));
    throw invalid("NODE_ID_INVALID", "node_id", `expected 1 to 128 letters, digits, "_" or "-", got ${got}`);
  }
  const seconds = ttlSeconds === 0 ? DEFAULT_JOIN_TTL_SECONDS : ttlSeconds;
  if (seconds < MIN_JOIN_TTL_SECONDS || seconds > MAX_JOIN_TTL_SECONDS) {
    const expected = `expected ${MIN_JOIN_TTL_SECONDS} to ${MAX_JOIN_TTL_SECONDS}, or 0 for ${DEFAULT_JOIN_TTL_SECONDS}`;
    throw invalid("TTL_INVALID", "ttl_seconds", `${expected}, got ${ttlSeconds}`);
  }
  return new Date(now.getTime() + seconds * 1_000);
}

/** Throws KEY_INVALID unless both are formed like keys: they go into files that others read. */
export function assertNodeKeys({ signingKey, busKey }: NodeKeys): void {
  if (!SIGNING_KEY.test(signingKey))
    throw invalid("KEY_INVALID", "signing_key", "expected 32 bytes in base64url");
  if (!BUS_KEY.test(busKey)) throw invalid("KEY_INVALID", "bus_key", 'expected a public user nkey ("U…")');
}

/** `tyj_<the id's suffix>_<secret>`. */
export function formatJoinToken(id: string, secret: string): string {
  return `tyj_${id.slice("join_".length)}_${secret}`;
}

/** The parts of a join token; `undefined` for anything that is not formed like one. */
export function parseJoinToken(text: string): { readonly id: string; readonly secret: string } | undefined {
  const [, suffix, secret] = CREDENTIAL.exec(text) ?? [];
  return suffix === undefined || secret === undefined ? undefined : { id: `join_${suffix}`, secret };
}

/**
 * The token after a machine with these keys has used it; the same when that machine has used it before, so that a lost
 * answer can be asked for again. Throws `permission_denied` JOIN_TOKEN_USED or JOIN_TOKEN_EXPIRED.
 */
export function useJoinToken(token: JoinToken, keys: NodeKeys, now: Date): JoinToken {
  const { used, supersededAt, expiresAt } = token;
  if (expiresAt <= now) throw refused("JOIN_TOKEN_EXPIRED", `ended at ${expiresAt.toISOString()}`);
  if (supersededAt !== undefined) {
    throw refused(
      "JOIN_TOKEN_USED",
      `gave way to a later one of the same node at ${supersededAt.toISOString()}`,
    );
  }
  if (used !== undefined) {
    if (used.signingKey === keys.signingKey && used.busKey === keys.busKey) return token;
    throw refused("JOIN_TOKEN_USED", `was used at ${used.at.toISOString()} by another machine`);
  }
  return { ...token, used: { ...keys, at: now }, version: token.version + 1 };
}

/** Said alike of a token that never was and of a wrong secret. */
export function joinTokenInvalid(): DomainError {
  const message = "The join token is not one of this platform. Check that it was copied whole.";
  return new DomainError("permission_denied", "JOIN_TOKEN_INVALID", message);
}

function refused(reason: string, why: string): DomainError {
  const message = `The join token ${why}. Ask an admin for a new one (trainyard agent invite NODE).`;
  return new DomainError("permission_denied", reason, message);
}

function invalid(reason: string, field: string, description: string): DomainError {
  return new DomainError("invalid_argument", reason, `${field}: ${description}.`, {
    violations: [{ field, description }],
  });
}
