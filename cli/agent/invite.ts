import { randomUUID } from "node:crypto";
import { gateway } from "@trainyard/contracts";
import type { Session } from "../session.ts";
import { parseDuration } from "../terminal/duration.ts";
import { errorStyle } from "../terminal/style.ts";

/** The options of `agent invite`. */
export interface InviteFlags {
  readonly ttl?: string;
}

/** Makes a join token: its secret alone on standard output, what it is on standard error. */
export async function invite(session: Session, nodeId: string, { ttl }: InviteFlags): Promise<void> {
  const { joins } = await session.clients();
  const response = await joins.createJoinToken({
    requestId: randomUUID(),
    nodeId,
    ttlSeconds: ttl === undefined ? 0n : BigInt(Math.ceil(parseDuration(ttl) / 1000)),
  });
  if (session.json) {
    session.printMessage(gateway.CreateJoinTokenResponseSchema, response);
    return;
  }
  const about = `${response.id} for node ${response.nodeId}, ends ${session.time(response.expiresAt)}; this is shown once:`;
  process.stderr.write(`${errorStyle.dim(about)}\n`);
  session.print(response.secret);
}
