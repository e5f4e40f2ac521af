import { scheduler } from "@trainyard/contracts";
import { describe, expect, it } from "vitest";
import { type AccessRule, assertAccess, assertCompleteAccess, hasRole } from "./access.ts";
import type { Principal } from "./principal.ts";
import { mayAssert } from "./verifier.ts";

const user = (...roles: Principal["roles"]): Principal => ({ name: "ada", kind: "user", roles });
const service: Principal = { name: "evaluation", kind: "service", roles: [] };

describe("an access rule", () => {
  const both: AccessRule = { roles: ["submitter"], kinds: ["service"] };
  it.each<[string, AccessRule, Principal, boolean]>([
    ["admits anyone with a token when empty", {}, user(), true],
    ["admits a user with the role", both, user("submitter"), true],
    ["admits an admin to everything", both, user("admin"), true],
    ["admits a kind although it has no role", both, service, true],
    ["refuses a user with another role", both, user("approver"), false],
    ["lets a submitter read", { roles: ["viewer"] }, user("submitter"), true],
    [
      "does not take a service's roles for a user's",
      { roles: ["viewer"] },
      { ...service, roles: ["admin"] },
      false,
    ],
    ["refuses a kind that it does not name", { kinds: ["agent"] }, user("admin"), false],
  ])("%s", (_name, rule, principal, admitted) => {
    const check = () => assertAccess(rule, "x.Y/Z", principal);
    if (admitted) expect(check).not.toThrow();
    else expect(check).toThrow(expect.objectContaining({ code: "permission_denied" }));
  });

  it("names in its refusal what is needed and what the caller has", () => {
    expect(() => assertAccess(both, "x.Y/Z", user("viewer"))).toThrow(
      "x.Y/Z needs role submitter, or a service token; user ada has viewer.",
    );
  });

  it("has to be there for each method", () => {
    const methods = [scheduler.SchedulerService.method.getJob];
    expect(() => assertCompleteAccess({}, methods)).toThrow("SchedulerService/GetJob");
    expect(() =>
      assertCompleteAccess({ "trainyard.scheduler.v1.SchedulerService/GetJob": {} }, methods),
    ).not.toThrow();
  });
});

describe("roles", () => {
  it("imply reading, and admin implies all", () => {
    expect(hasRole(user("approver"), "viewer")).toBe(true);
    expect(hasRole(user("approver"), "submitter")).toBe(false);
    expect(hasRole(user("admin"), "approver")).toBe(true);
    expect(hasRole(user(), "viewer")).toBe(false);
  });
});

describe("a key", () => {
  const rank: Principal = { name: "run_1", kind: "rank", roles: [], run: "run_1", attempt: 1 };
  it.each<[string, Principal, boolean]>([
    ["gateway", user("admin"), true],
    ["scheduler", user("admin"), false],
    ["scheduler", rank, true],
    ["scheduler", { name: "run_1", kind: "rank", roles: [] }, false],
    ["gateway", rank, false],
    ["evaluation", service, true],
    ["tracking", service, false],
    ["agent:node_1", { name: "node_1", kind: "agent", roles: [] }, true],
    ["agent:node_2", { name: "node_1", kind: "agent", roles: [] }, false],
    ["agent:node_1", { name: "agent:node_1", kind: "service", roles: [] }, false],
  ])("%s speaking for %j: %s", (kid, principal, believed) => {
    expect(mayAssert(kid, principal)).toBe(believed);
  });
});
