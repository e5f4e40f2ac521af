import { callError } from "../client/call-error.ts";
import type { Problems } from "../moving/problems.ts";

/** Does it; what the platform refuses is told as a problem. Gives whether it was done. */
export async function orTell(
  problems: Problems,
  what: string,
  act: () => Promise<unknown>,
): Promise<boolean> {
  try {
    await act();
    return true;
  } catch (error) {
    const refused = callError(error, "");
    if (!refusals.has(refused.code)) throw error;
    problems.add(what, refused.message);
    return false;
  }
}

const refusals = new Set(["invalid_argument", "failed_precondition", "already_exists", "resource_exhausted"]);
