import { describe, expect, it } from "vitest";
import { type Principal, principalKey } from "./principal.ts";
import { inProject, projectOf } from "./project.ts";

function contextOf(
  principal: Principal,
  headers: Record<string, string> = {},
): Parameters<typeof projectOf>[0] {
  // Only what projectOf reads: the principal that the gate left, and the headers.
  const values = { get: (key: unknown) => (key === principalKey ? principal : undefined) };
  return { values, requestHeader: new Headers(headers) } as unknown as Parameters<typeof projectOf>[0];
}

describe("project of a call", () => {
  const service: Principal = { name: "evaluation", kind: "service", roles: [] };
  const user: Principal = { name: "ada", kind: "user", roles: ["viewer"], project: "vision" };

  it.each<[string, Principal, Record<string, string>, string]>([
    ["is the token's", user, {}, "vision"],
    ["is the token's, whatever a user asks for", user, inProject("other").headers, "vision"],
    ["is what a service names", service, inProject("vision").headers, "vision"],
    ["is the default one when a service names none", service, {}, "default"],
    ["is never what an agent names", { ...service, kind: "agent" }, inProject("vision").headers, "default"],
  ])("%s", (_sentence, principal, headers, expected) => {
    expect(projectOf(contextOf(principal, headers))).toBe(expected);
  });

  it("is refused when a service names an impossible one", () => {
    expect(() => projectOf(contextOf(service, inProject("a b").headers))).toThrow(/trainyard-project/);
  });
});
