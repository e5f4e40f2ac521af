import { create } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import { gateway } from "@trainyard/contracts";
import { principalOf } from "@trainyard/service";
import { createToken } from "./create-token.ts";
import { revokeToken } from "./revoke-token.ts";
import type { TokenParts } from "./token-parts.ts";
import { tokenToProto } from "./token-to-proto.ts";

/** TokenService. An admin's tokens are not limited to a project: somebody has to make the first one of each. */
export function tokenService(parts: TokenParts): ServiceImpl<typeof gateway.TokenService> {
  return {
    createToken: (request, context) => createToken(parts, request, context),
    revokeToken: (request, context) => revokeToken(parts, request, context),

    async listTokens() {
      const tokens = (await parts.tokens.list()).map(tokenToProto);
      return create(gateway.ListTokensResponseSchema, { tokens });
    },

    whoAmI(_request, context) {
      const { name, roles, project } = principalOf(context);
      return create(gateway.WhoAmIResponseSchema, {
        principal: name,
        roles: [...roles],
        project: project ?? "default",
      });
    },
  };
}
