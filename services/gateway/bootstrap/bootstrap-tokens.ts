import { crashPoint } from "@trainyard/failpoint";
import type { Part } from "@trainyard/service";
import type { Store } from "@trainyard/store";
import type { Logger } from "@trainyard/telemetry";
import { hashSecret } from "../auth/secret.ts";
import { parseCredential } from "../domain/credential.ts";
import type { Token, TokenRole } from "../domain/token.ts";
import { saveCreated } from "../store/token-changes.ts";
import type { Tokens } from "../store/tokens.ts";
import { type BootstrapTokens, readOrMakeTokens } from "./bootstrap-file.ts";

export interface BootstrapOptions {
  readonly store: Store;
  readonly tokens: Tokens;
  /** Where the tokens are written; absent: nothing is done. */
  readonly file: string | undefined;
  /** Whom the submitter's token speaks for. */
  readonly user: string;
  readonly logger: Logger;
}

/**
 * Makes the first tokens of a platform that has none: one each for an admin, a submitter and an approver, since nobody
 * could ask for one. Dying at any point and starting again ends with the same three tokens.
 */
export function bootstrapTokens({ store, tokens, file, user, logger }: BootstrapOptions): Part {
  return {
    name: "token bootstrap",
    async start() {
      if (file === undefined || (await tokens.any())) return;
      const made = await readOrMakeTokens(file);
      crashPoint("gateway.bootstrap.written");
      const wanted = tokensOf(made, user, new Date());
      await store.transaction("bootstrap tokens", async (tx) => {
        // Another gateway may have been faster, by the same file.
        if (await tokens.any(tx)) return;
        for (const token of wanted) await saveCreated(tokens, token, tx);
      });
      crashPoint("gateway.bootstrap.committed");
      logger.info({ file, tokens: wanted.map(({ id }) => id) }, "first tokens made");
    },
    async stop() {},
  };
}

function tokensOf(made: BootstrapTokens, user: string, createdAt: Date): readonly Token[] {
  const grants: readonly (readonly [string, string, TokenRole])[] = [
    [made.admin, "admin", "admin"],
    [made.submitter, user, "submitter"],
    [made.approver, "approver", "approver"],
  ];
  return grants.map(([text, principal, role]) => {
    const credential = parseCredential(text);
    if (credential === undefined) throw new Error("a bootstrap token is malformed");
    return {
      id: credential.tokenId,
      principal,
      roles: [role],
      project: "default",
      secretHash: hashSecret(credential.secret),
      createdBy: "service:gateway",
      createdAt,
      version: 1,
    };
  });
}
