import { assertName, DomainError } from "@trainyard/domain";
import { type TokenRole, tokenRoles } from "./token.ts";

/** Longest life that a token can be given: a hundred years, beyond which dates lose their meaning. */
export const MAX_TOKEN_TTL_SECONDS = 100 * 365 * 24 * 60 * 60;

/** A token as it was asked for. */
export interface TokenRequest {
  readonly principal: string;
  readonly roles: readonly string[];
  /** Empty: "default". */
  readonly project: string;
  /** 0: never expires. */
  readonly ttlSeconds: number;
}

/** A request that was found to make sense. */
export interface TokenGrant {
  readonly principal: string;
  readonly roles: readonly TokenRole[];
  readonly project: string;
  readonly expiresAt?: Date;
}

/** Checks a request. Throws `invalid_argument` NAME_INVALID, ROLE_UNKNOWN or TTL_INVALID, naming the field. */
export function grantOf(request: TokenRequest, now: Date): TokenGrant {
  assertName("principal", request.principal);
  const project = request.project === "" ? "default" : request.project;
  assertProject(project);
  const roles = knownRoles(request.roles);
  if (request.ttlSeconds < 0 || request.ttlSeconds > MAX_TOKEN_TTL_SECONDS) {
    const description = `expected 0 (never) to ${MAX_TOKEN_TTL_SECONDS}, got ${request.ttlSeconds}`;
    throw invalid("TTL_INVALID", "ttl_seconds", description);
  }
  const { principal } = request;
  if (request.ttlSeconds === 0) return { principal, roles, project };
  return { principal, roles, project, expiresAt: new Date(now.getTime() + request.ttlSeconds * 1000) };
}

/** A project is a part of every event's subject, where a dot would separate. */
function assertProject(project: string): void {
  assertName("project", project);
  if (project.includes(".")) {
    throw invalid(
      "NAME_INVALID",
      "project",
      `expected no "." in a project's name, got ${JSON.stringify(project)}`,
    );
  }
}

function knownRoles(roles: readonly string[]): readonly TokenRole[] {
  const expected = `expected at least one of ${tokenRoles.join(", ")}`;
  if (roles.length === 0) throw invalid("ROLE_UNKNOWN", "roles", expected);
  const wanted = roles.map((role) => {
    const known = tokenRoles.find((one) => one === role);
    if (known !== undefined) return known;
    throw invalid("ROLE_UNKNOWN", "roles", `${expected}, got ${JSON.stringify(role.slice(0, 64))}`);
  });
  return tokenRoles.filter((role) => wanted.includes(role));
}

function invalid(reason: string, field: string, description: string): DomainError {
  return new DomainError("invalid_argument", reason, `${field}: ${description}.`, {
    violations: [{ field, description }],
  });
}
