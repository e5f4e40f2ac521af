import { readFileSync } from "node:fs";
import { join } from "node:path";

/** The API tokens that a platform's gateway makes at its first start, by whom they are for. */
export interface FirstTokens {
  readonly admin: string;
  readonly submitter: string;
  readonly approver: string;
}

/** The file that they are in, in a platform's folder. */
export function firstTokensFile(dataDir: string): string {
  return join(dataDir, "secrets/tokens.json");
}

/** Reads them; throws when the gateway has not been started yet. */
export function firstTokens(dataDir: string): FirstTokens {
  // Written by the gateway, which checks it at each start.
  return JSON.parse(readFileSync(firstTokensFile(dataDir), "utf8")) as FirstTokens;
}
