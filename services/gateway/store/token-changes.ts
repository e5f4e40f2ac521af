import { create } from "@bufbuild/protobuf";
import { gateway } from "@trainyard/contracts";
import { crashPoint } from "@trainyard/failpoint";
import type { Tx } from "@trainyard/store";
import { tokenToProto } from "../api/token-to-proto.ts";
import type { Token } from "../domain/token.ts";
import type { Tokens } from "./tokens.ts";

/** Stores a new token and tells that it was made. */
export async function saveCreated(tokens: Tokens, token: Token, tx: Tx): Promise<void> {
  await tokens.insert(token, tx);
  await tx.emit({
    schema: gateway.TokenCreatedSchema,
    ...about(token),
    actor: token.createdBy,
    data: create(gateway.TokenCreatedSchema, { token: tokenToProto(token) }),
  });
  crashPoint("gateway.token-create.before-commit");
}

/** Stores that a token was ended and tells so. */
export async function saveRevoked(tokens: Tokens, token: Token, actor: string, tx: Tx): Promise<void> {
  await tokens.replace(token, tx);
  await tx.emit({
    schema: gateway.TokenRevokedSchema,
    ...about(token),
    actor,
    data: create(gateway.TokenRevokedSchema, { token: tokenToProto(token) }),
  });
  crashPoint("gateway.token-revoke.before-commit");
}

function about({ project, id, version }: Token) {
  return { project, id, aggregateVersion: version };
}
