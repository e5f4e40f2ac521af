import { newId } from "@trainyard/domain";
import { z } from "zod";
import { newSecret } from "../auth/secret.ts";
import { formatCredential, parseCredential } from "../domain/credential.ts";
import { readIfThere, writeSecretFile } from "./secret-file.ts";

const credential = z.string().refine((text) => parseCredential(text) !== undefined, "expected an API token");
const schema = z.object({ admin: credential, submitter: credential, approver: credential });

/** The first tokens, as their holders send them. */
export type BootstrapTokens = z.infer<typeof schema>;

/**
 * The tokens in the file; made and written there when there is no file. The file comes first and is the truth: whoever
 * dies after writing it finds the same tokens again. Throws when the file holds something else, naming it and never
 * quoting it.
 */
export async function readOrMakeTokens(path: string): Promise<BootstrapTokens> {
  const text = await readIfThere(path);
  if (text !== undefined) return parseTokens(path, text);
  const make = () => formatCredential({ tokenId: newId("tok"), secret: newSecret() });
  const made: BootstrapTokens = { admin: make(), submitter: make(), approver: make() };
  await writeSecretFile(path, `${JSON.stringify(made, undefined, 2)}\n`);
  return made;
}

function parseTokens(path: string, text: string): BootstrapTokens {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined; // The parser's message would quote the file.
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new Error(
    `${path} is not a file of tokens: expected a JSON object with admin, submitter and approver. Remove it to have new ones made.`,
  );
}
