import { create } from "@bufbuild/protobuf";
import type { HandlerContext } from "@connectrpc/connect";
import { gateway } from "@trainyard/contracts";
import { DomainError, newId } from "@trainyard/domain";
import { crashPoint } from "@trainyard/failpoint";
import { actorOf, mutate } from "@trainyard/service";
import { hashSecret, newSecret } from "../auth/secret.ts";
import { formatCredential } from "../domain/credential.ts";
import type { Token } from "../domain/token.ts";
import { grantOf } from "../domain/token-request.ts";
import { saveCreated } from "../store/token-changes.ts";
import type { TokenParts } from "./token-parts.ts";
import { tokenToProto } from "./token-to-proto.ts";

/**
 * Makes a token. The answers of request ids are stored, and a secret is not: so a repeated request is recognised and
 * makes no second token, but it cannot be answered with the secret again, and says what to do instead.
 */
export async function createToken(
  { store, tokens }: TokenParts,
  request: gateway.CreateTokenRequest,
  context: HandlerContext,
): Promise<gateway.CreateTokenResponse> {
  const createdAt = new Date();
  const grant = grantOf({ ...request, ttlSeconds: Number(request.ttlSeconds) }, createdAt);
  const tokenId = newId("tok");
  const secret = newSecret();
  const schema = gateway.CreateTokenResponseSchema;
  const answer = await mutate(store, request, context, schema, async (tx, principal) => {
    const token: Token = {
      id: tokenId,
      ...grant,
      secretHash: hashSecret(secret),
      createdBy: actorOf(principal),
      createdAt,
      version: 1,
    };
    await saveCreated(tokens, token, tx);
    return create(schema, { token: tokenToProto(token) });
  });
  crashPoint("gateway.token-create.committed");
  if (answer.token?.id !== tokenId) throw secretIsGone(answer.token?.id ?? "");
  return { ...answer, secret: formatCredential({ tokenId, secret }) };
}

function secretIsGone(tokenId: string): DomainError {
  return new DomainError(
    "already_exists",
    "TOKEN_SECRET_GONE",
    `This request made token ${tokenId} before; its secret was in the first answer and is not kept. If that answer was lost, revoke the token and make another with a new request id.`,
    { metadata: { token_id: tokenId } },
  );
}
