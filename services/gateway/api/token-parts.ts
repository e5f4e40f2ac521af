import type { Store } from "@trainyard/store";
import type { Authenticator } from "../auth/authenticator.ts";
import type { Tokens } from "../store/tokens.ts";

/** What the token RPCs work with. */
export interface TokenParts {
  readonly store: Store;
  readonly tokens: Tokens;
  readonly authenticator: Pick<Authenticator, "forget">;
}
