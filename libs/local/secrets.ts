import { generateKeyPairSync, randomBytes } from "node:crypto";
import { join } from "node:path";
import { generateNkey } from "@trainyard/bus";
import { makePrivateFolder, readIfExists, readOrCreate, writeFileWhole } from "./private-file.ts";

/** An Ed25519 key as a JWK (RFC 8037); `d` is the private half. */
export interface Jwk {
  readonly kty: string;
  readonly crv: string;
  readonly x: string;
  readonly d?: string;
  readonly kid: string;
  readonly alg: "EdDSA";
  readonly use: "sig";
}

function newSigningKey(kid: string): Jwk {
  const { privateKey } = generateKeyPairSync("ed25519");
  const { x, d } = privateKey.export({ format: "jwk" });
  if (x === undefined || d === undefined) throw new Error("an Ed25519 key without its halves");
  return { kty: "OKP", crv: "Ed25519", x, d, kid, alg: "EdDSA", use: "sig" };
}

/** The file with the private signing key of `kid`, made the first time. */
export function signingKeyFile(folder: string, kid: string): string {
  const path = join(folder, "key.json");
  readOrCreate(path, () => JSON.stringify(newSigningKey(kid)));
  return path;
}

/** The public half of a signing key file, as others verify with it. */
export function publicJwk(keyFile: string): Jwk {
  // Written by `signingKeyFile` only.
  const { d: _private, ...jwk } = JSON.parse(readIfExists(keyFile) ?? "") as Jwk;
  return jwk;
}

/** The bus credential of that folder, made the first time: the seed's file for the holder, the public key for the server. */
export function busCredential(folder: string): { readonly seedFile: string; readonly publicKey: string } {
  const seedFile = join(folder, "nats.seed");
  const publicFile = join(folder, "nats.public");
  const known = readIfExists(publicFile);
  // The seed is written last: with it there, the pair is whole.
  if (known !== undefined && readIfExists(seedFile) !== undefined) return { seedFile, publicKey: known };
  const { publicKey, seed } = generateNkey();
  makePrivateFolder(folder);
  writeFileWhole(publicFile, publicKey);
  writeFileWhole(seedFile, seed);
  return { seedFile, publicKey };
}

/** The file with the key that the scheduler encrypts jobs' secrets with, made the first time. */
export function secretsKeyFile(folder: string): string {
  const path = join(folder, "secrets.key");
  readOrCreate(path, () => randomBytes(32).toString("hex"));
  return path;
}

/** A database password of that folder, made the first time. */
export function databasePassword(folder: string): string {
  return readOrCreate(join(folder, "mongodb.password"), () => randomBytes(24).toString("hex"));
}
