import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { gateway } from "@trainyard/contracts";
import type { Token } from "../domain/token.ts";

/** A token as callers and events see it: without anything of its secret. */
export function tokenToProto(token: Token): gateway.Token {
  const { id, principal, roles, project, createdBy, createdAt, expiresAt, revokedAt } = token;
  return create(gateway.TokenSchema, {
    id,
    principal,
    roles: [...roles],
    project,
    createdBy,
    createdAt: timestampFromDate(createdAt),
    ...(expiresAt === undefined ? {} : { expiresAt: timestampFromDate(expiresAt) }),
    ...(revokedAt === undefined ? {} : { revokedAt: timestampFromDate(revokedAt) }),
  });
}
