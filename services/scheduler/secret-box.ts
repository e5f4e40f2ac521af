import { createCipheriv, createDecipheriv, createHmac, randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";

const ALGORITHM = "aes-256-gcm";
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/**
 * Encrypts secrets with the platform's key (AES-256-GCM, a random nonce each time, NIST SP 800-38D). The context is
 * authenticated with the value, so that a row of the database that is copied to another name does not open.
 */
export interface SecretBox {
  seal(context: string, value: Uint8Array): Uint8Array;
  /** Throws when the bytes were not sealed with this key for this context. */
  open(context: string, sealed: Uint8Array): Uint8Array;
  /** What stands for a value where equal ones are to be told: of no use to whoever does not have the key. */
  fingerprint(value: Uint8Array): Uint8Array;
}

/** Reads the key: 64 hexadecimal digits. */
export async function openSecretBox(keyFile: string): Promise<SecretBox> {
  const text = (await readFile(keyFile, "ascii")).trim();
  if (!/^[0-9a-f]{64}$/.test(text)) {
    throw new Error(
      `TRAINYARD_SECRETS_KEY_FILE: ${keyFile} holds no key; expected 64 hexadecimal digits (openssl rand -hex 32)`,
    );
  }
  return secretBox(Buffer.from(text, "hex"));
}

function secretBox(key: Buffer): SecretBox {
  return {
    seal(context, value) {
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv(ALGORITHM, key, nonce).setAAD(Buffer.from(context));
      const body = Buffer.concat([cipher.update(value), cipher.final()]);
      return Buffer.concat([nonce, cipher.getAuthTag(), body]);
    },
    open(context, sealed) {
      const nonce = sealed.subarray(0, NONCE_BYTES);
      const tag = sealed.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES);
      const decipher = createDecipheriv(ALGORITHM, key, nonce, { authTagLength: TAG_BYTES });
      decipher.setAAD(Buffer.from(context)).setAuthTag(tag);
      return Buffer.concat([decipher.update(sealed.subarray(NONCE_BYTES + TAG_BYTES)), decipher.final()]);
    },
    fingerprint: (value) => createHmac("sha256", key).update("fingerprint\0").update(value).digest(),
  };
}
