import { randomUUID } from "node:crypto";
import { gateway } from "@trainyard/contracts";
import type { Session } from "../session.ts";
import { parseDuration } from "../terminal/duration.ts";
import { errorStyle, style } from "../terminal/style.ts";
import type { Column } from "../terminal/table.ts";
import { timestampMs } from "../terminal/time.ts";

/** The options of `tokens create`. */
export interface CreateTokenFlags {
  readonly principal: string;
  readonly role: readonly string[];
  readonly ttl?: string;
  readonly project?: string;
}

/** Makes a token: its secret alone on standard output, what it is on standard error. */
export async function createToken(session: Session, flags: CreateTokenFlags): Promise<void> {
  const { tokens } = await session.clients();
  const response = await tokens.createToken({
    requestId: randomUUID(),
    principal: flags.principal,
    roles: [...flags.role],
    project: flags.project ?? "",
    ttlSeconds: flags.ttl === undefined ? 0n : BigInt(Math.ceil(parseDuration(flags.ttl) / 1000)),
  });
  if (session.json) {
    session.printMessage(gateway.CreateTokenResponseSchema, response);
    return;
  }
  const { token } = response;
  const until = token?.expiresAt === undefined ? "never ends" : `ends ${session.time(token.expiresAt)}`;
  process.stderr.write(
    `${errorStyle.dim(`${token?.id} for ${token?.principal} (${token?.roles.join(", ")}), ${until}; this is shown once:`)}\n`,
  );
  session.print(response.secret);
}

/** Lists the tokens. */
export async function listTokens(session: Session): Promise<void> {
  const { tokens } = await session.clients();
  const response = await tokens.listTokens({});
  if (session.json) {
    session.printMessage(gateway.ListTokensResponseSchema, response);
    return;
  }
  const columns: Column<gateway.Token>[] = [
    { title: "token", cell: ({ id }) => id },
    { title: "principal", cell: ({ principal }) => principal },
    { title: "roles", cell: ({ roles }) => roles.join(", ") },
    { title: "project", cell: ({ project }) => project },
    { title: "created", cell: ({ createdAt }) => session.time(createdAt) },
    { title: "ends", cell: ({ expiresAt }) => (expiresAt === undefined ? "never" : session.time(expiresAt)) },
    {
      title: "state",
      cell: stateOf,
      paint: (text, token) => (stateOf(token) === "valid" ? style.good(text) : style.dim(text)),
    },
  ];
  session.printTable(columns, response.tokens, "No tokens.");
}

function stateOf({ revokedAt, expiresAt }: gateway.Token): string {
  if (revokedAt !== undefined) return "revoked";
  return expiresAt !== undefined && timestampMs(expiresAt) < Date.now() ? "expired" : "valid";
}

/** Ends a token. */
export async function revokeToken(session: Session, id: string): Promise<void> {
  const { tokens } = await session.clients();
  const { token } = await tokens.revokeToken({ requestId: randomUUID(), tokenId: id });
  if (token === undefined) throw new Error("the gateway answered without a token");
  if (session.json) session.printMessage(gateway.TokenSchema, token);
  else session.print(`${token.id} (${token.principal}) is revoked`);
}
