import { createUser } from "@nats-io/nkeys";

/** A bus user's key pair: the server's file holds the public key, only the user holds the seed. */
export interface Nkey {
  /** "U…". */
  readonly publicKey: string;
  /** "SU…", a secret. */
  readonly seed: string;
}

export function generateNkey(): Nkey {
  const pair = createUser();
  return { publicKey: pair.getPublicKey(), seed: new TextDecoder().decode(pair.getSeed()) };
}
