/** What a client sends to prove that it holds a token. */
export interface Credential {
  readonly tokenId: string;
  readonly secret: string;
}

/** A secret is 32 random bytes in base64url. */
export const SECRET_BYTES = 32;

const CREDENTIAL = /^ty_([0-9a-z]{26})_([A-Za-z0-9_-]{43})$/;
const ID_PREFIX = "tok_";

/** Whether the text claims to be an API token, well-formed or not. */
export function looksLikeCredential(text: string): boolean {
  return text.startsWith("ty_");
}

/** `ty_<the token id's suffix>_<secret>`: the id finds the record, the prefix lets scanners find a leaked token. */
export function formatCredential({ tokenId, secret }: Credential): string {
  return `ty_${tokenId.slice(ID_PREFIX.length)}_${secret}`;
}

/** The parts of a credential; `undefined` for anything that is not formed like one. */
export function parseCredential(text: string): Credential | undefined {
  const match = CREDENTIAL.exec(text);
  return match?.[1] === undefined || match[2] === undefined
    ? undefined
    : { tokenId: `${ID_PREFIX}${match[1]}`, secret: match[2] };
}
