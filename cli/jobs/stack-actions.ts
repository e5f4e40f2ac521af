import { scheduler } from "@trainyard/contracts";
import type { Session } from "../session.ts";
import { style } from "../terminal/style.ts";
import { safeText } from "../terminal/text.ts";

/** Shows where the ranks of a running job are. */
export async function stacks(
  session: Session,
  jobId: string,
  flags: { readonly rank?: number },
): Promise<void> {
  const { scheduler: client } = await session.clients();
  const response = await client.captureStacks({ jobId });
  const { rank: wanted } = flags;
  const ranks = response.ranks.filter(({ rank }) => wanted === undefined || rank === wanted);
  if (session.json) {
    session.printMessage(scheduler.CaptureStacksResponseSchema, { ...response, ranks });
    return;
  }
  for (const { rank, nodeId, lastStep, text, problem } of ranks) {
    const step = lastStep < 0n ? "" : `, step ${lastStep}`;
    const odd = rank === response.oddRank ? style.warn("  not where the others wait") : "";
    session.print(`${style.bold(`rank ${rank}`)} on ${nodeId}${step}${odd}`);
    session.print(problem === "" ? safeText(text.trimEnd()) : style.warn(problem));
    session.print("");
  }
}
