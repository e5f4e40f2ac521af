import { create } from "@bufbuild/protobuf";
import type { HandlerContext } from "@connectrpc/connect";
import { gateway } from "@trainyard/contracts";
import { DomainError } from "@trainyard/domain";
import { crashPoint } from "@trainyard/failpoint";
import { actorOf, mutate } from "@trainyard/service";
import { revoke } from "../domain/token.ts";
import { saveRevoked } from "../store/token-changes.ts";
import type { TokenParts } from "./token-parts.ts";
import { tokenToProto } from "./token-to-proto.ts";

/** Ends a token. Ending one that has ended changes nothing. */
export async function revokeToken(
  { store, tokens, authenticator }: TokenParts,
  request: gateway.RevokeTokenRequest,
  context: HandlerContext,
): Promise<gateway.RevokeTokenResponse> {
  const now = new Date();
  const schema = gateway.RevokeTokenResponseSchema;
  const answer = await mutate(store, request, context, schema, async (tx, principal) => {
    const token = await tokens.find(request.tokenId, tx);
    if (token === undefined) throw tokenNotFound(request.tokenId);
    const revoked = revoke(token, now);
    if (revoked !== token) await saveRevoked(tokens, revoked, actorOf(principal), tx);
    return create(schema, { token: tokenToProto(revoked) });
  });
  authenticator.forget(request.tokenId);
  crashPoint("gateway.token-revoke.committed");
  return answer;
}

function tokenNotFound(id: string): DomainError {
  const shown = JSON.stringify(id.slice(0, 64));
  return new DomainError(
    "not_found",
    "TOKEN_NOT_FOUND",
    `There is no token ${shown}; expected an id such as tok_01h455vb4pex5vsknk084sn02q (trainyard tokens list).`,
  );
}
