import { scheduler } from "@trainyard/contracts";
import { type EventHandler, on } from "@trainyard/store";
import type { EndedAttempts } from "../store/ended-attempts.ts";

/** Ends the tokens of an attempt's ranks with the attempt. An end is final, so its order among events does not matter. */
export function endRankTokens(endedAttempts: EndedAttempts): EventHandler {
  return on(scheduler.AttemptEndedSchema, { mode: "every-one" }, async (tx, event) => {
    const { runId, attempt } = event.data;
    if (attempt === undefined) return;
    await endedAttempts.add(runId, attempt.number, new Date(event.time), tx);
  });
}
