import type { CryptoKey } from "jose";

/** What WebCrypto calls the one signature algorithm; JWTs call it EdDSA. */
const WEB_CRYPTO_ALGORITHM = "Ed25519";

/** Opens everything that is signed here. No JWT's signing input begins so: that is two words of base64url with a dot. */
const PREFIX = "trainyard-signed-bytes-v1";

/**
 * What is really signed: a prefix, what the bytes are for, and the bytes. The context (such as "desired/node.n1") is part
 * of it, so that bytes signed for one place mean nothing at another. It must not hold a NUL, which ends it.
 */
export function signedInput(context: string, bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  if (context.includes("\0")) throw new Error("the context of a signature must not hold a NUL");
  const head = new TextEncoder().encode(`${PREFIX}\0${context}\0`);
  const input = new Uint8Array(head.byteLength + bytes.byteLength);
  input.set(head);
  input.set(bytes, head.byteLength);
  return input;
}

/** Ed25519 over `signedInput`; 64 bytes. */
export async function signInput(key: CryptoKey, context: string, bytes: Uint8Array): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.sign(WEB_CRYPTO_ALGORITHM, key, signedInput(context, bytes)));
}

/** Whether the signature is this key's over these bytes in this context. */
export function verifyInput(
  key: CryptoKey,
  context: string,
  bytes: Uint8Array,
  signature: Uint8Array,
): Promise<boolean> {
  return crypto.subtle.verify(
    WEB_CRYPTO_ALGORITHM,
    key,
    new Uint8Array(signature),
    signedInput(context, bytes),
  );
}
