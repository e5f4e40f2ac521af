import { assertName } from "@trainyard/domain";
import { type Principal, principalOf } from "./principal.ts";

/** The project of those who name none. */
export const defaultProject = "default";

/** Header by which a service, which works for every project, says which one a call is about. */
const projectHeader = "trainyard-project";

/**
 * The project a call is about: the token's. Only a caller whose token is not limited to one project (a service) may name
 * it by `inProject`; without that it is the default one.
 */
export function projectOf(
  context: Parameters<typeof principalOf>[0] & { readonly requestHeader: Headers },
): string {
  const principal: Principal = principalOf(context);
  if (principal.project !== undefined) return principal.project;
  const named = principal.kind === "service" ? context.requestHeader.get(projectHeader) : null;
  if (named === null) return defaultProject;
  assertName(projectHeader, named);
  return named;
}

/** Call options with which a service calls another about this project. */
export function inProject(project: string): { readonly headers: Record<string, string> } {
  return { headers: { [projectHeader]: project } };
}
