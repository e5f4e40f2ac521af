import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { publicJwk, signingKeyFile } from "@trainyard/local";
import { createSigner, createVerifier, type Signer, type Verifier } from "@trainyard/service";
import { atFileEnd } from "./cleanup.ts";
import { tempDir } from "./temp-dir.ts";

/** Signing keys of the test file's own services and agents. */
interface TestKeys {
  readonly jwksFile: string;
  keyFile(kid: string): string;
}

let ofThisFile: TestKeys | undefined;

/** The file's keys: `keyFile` makes one the first time a kid is asked for and adds its public half to the set. */
export function testKeys(): TestKeys {
  if (ofThisFile !== undefined) return ofThisFile;
  const folder = tempDir("keys");
  const jwksFile = join(folder, "jwks.json");
  const files = new Map<string, string>();
  const write = () => writeFileSync(jwksFile, JSON.stringify({ keys: [...files.values()].map(publicJwk) }));
  write();
  ofThisFile = {
    jwksFile,
    keyFile(kid) {
      const known = files.get(kid);
      if (known !== undefined) return known;
      const made = signingKeyFile(join(folder, kid), kid);
      files.set(kid, made);
      write();
      return made;
    },
  };
  atFileEnd(() => {
    ofThisFile = undefined;
  });
  return ofThisFile;
}

/** Signs as that service ("gateway" may assert users, "scheduler" ranks) or agent ("agent:<nodeId>"). */
export function testSigner(kid: string): Promise<Signer> {
  return createSigner(testKeys().keyFile(kid));
}

/** Verifies what the file's signers sign. */
export function testVerifier(): Promise<Verifier> {
  return createVerifier(testKeys().jwksFile);
}
