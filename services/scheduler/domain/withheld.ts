import type { Node } from "./node.ts";
import { isCoolingDown } from "./node-cooldown.ts";

/** Why a node that is well gets no new gangs, as a phrase after the node's name; `undefined` when it gets some. */
export function whyWithheld(node: Pick<Node, "duty" | "cooldown">, now: Date): string | undefined {
  const { duty, cooldown } = node;
  if (duty !== undefined && duty.state !== "open") {
    const why = duty.reason === "" ? "" : ` (${duty.reason})`;
    return `is ${duty.state} by ${duty.by}${why}`;
  }
  if (cooldown?.until === undefined || !isCoolingDown(cooldown, now)) return undefined;
  return `cools down until ${cooldown.until.toISOString()} after ${cooldown.failures} failures in a row, the last ${cooldown.reason}`;
}
