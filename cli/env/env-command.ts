import { DomainError } from "@trainyard/domain";
import type { Session } from "../session.ts";
import { exportLines, type Shell, variablesOf } from "./exports.ts";

/** Prints the variables for a shell to read, or as one JSON object. Throws TOKEN_MISSING where no token is known. */
export function printEnv(session: Session, shell: Shell): void {
  const { address } = session;
  const { url, token } = address;
  if (token === undefined) {
    throw new DomainError(
      "unauthenticated",
      "TOKEN_MISSING",
      `no token is known for ${url}: run this beside the platform's state folder (or --data DIR), or give one by TRAINYARD_TOKEN`,
    );
  }
  const variables = variablesOf({ url, token });
  session.print(session.json ? JSON.stringify(variables) : exportLines(variables, shell).join("\n"));
}
