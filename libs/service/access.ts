import type { DescMethod } from "@bufbuild/protobuf";
import { DomainError } from "@trainyard/domain";
import type { Principal, PrincipalKind, Role } from "./principal.ts";

/**
 * Who may call a method: users with one of `roles`, and any principal of one of `kinds`. An empty rule admits everyone
 * with a valid token; `public` admits everyone.
 */
export interface AccessRule {
  readonly roles?: readonly Role[];
  readonly kinds?: readonly PrincipalKind[];
  readonly public?: boolean;
}

/** The rule of every method that a server offers, by `trainyard.scheduler.v1.SchedulerService/SubmitJob`. */
export type AccessTable = Readonly<Record<string, AccessRule>>;

/** Roles that a role brings along. */
const implied: Readonly<Record<Role, readonly Role[]>> = {
  viewer: [],
  submitter: ["viewer"],
  approver: ["viewer"],
  admin: ["viewer", "submitter", "approver"],
};

/** Whether the principal has the role, itself or by another that brings it along. */
export function hasRole(principal: Principal, role: Role): boolean {
  return principal.roles.some((held) => held === role || implied[held].includes(role));
}

/** The name under which a method stands in the access table, in logs and in span names. */
export function methodPath(method: DescMethod): string {
  return `${method.parent.typeName}/${method.name}`;
}

/** Throws `permission_denied`, naming what would be needed, unless the rule admits the principal. */
export function assertAccess(rule: AccessRule, method: string, principal: Principal): void {
  const { roles = [], kinds = [] } = rule;
  if (rule.public === true || (roles.length === 0 && kinds.length === 0)) return;
  if (kinds.includes(principal.kind)) return;
  if (principal.kind === "user" && roles.some((role) => hasRole(principal, role))) return;
  const needed = neededText(roles, kinds);
  throw new DomainError(
    "permission_denied",
    principal.kind === "user" && roles.length > 0 ? "ROLE_MISSING" : "KIND_NOT_ADMITTED",
    `${method} needs ${needed}; ${principal.kind} ${principal.name} ${heldText(principal)}.`,
    { metadata: { method, needed } },
  );
}

/**
 * Throws unless the table has a rule for every method and no rule for another: a forgotten rule is found when the
 * service starts, and not by whoever calls the method first.
 */
export function assertCompleteAccess(table: AccessTable, methods: Iterable<DescMethod>): void {
  const served = new Set(Array.from(methods, methodPath));
  const missing = [...served].filter((path) => table[path] === undefined);
  const unknown = Object.keys(table).filter((path) => !served.has(path));
  if (missing.length > 0) throw new Error(`methods without an access rule: ${missing.join(", ")}`);
  if (unknown.length > 0)
    throw new Error(`access rules for methods that are not served: ${unknown.join(", ")}`);
}

function neededText(roles: readonly Role[], kinds: readonly PrincipalKind[]): string {
  const parts = [
    ...(roles.length > 0 ? [`role ${roles.join(" or ")}`] : []),
    ...(kinds.length > 0 ? [`a ${kinds.join(" or ")} token`] : []),
  ];
  return parts.join(", or ");
}

function heldText(principal: Principal): string {
  if (principal.kind !== "user") return "may not call it";
  return principal.roles.length === 0 ? "has no role" : `has ${principal.roles.join(", ")}`;
}
