import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { busCredential, signingKeyFile } from "@trainyard/local";

/** The keys of this machine's agent; the private halves never leave its folder. */
export interface AgentKeys {
  readonly keyFile: string;
  readonly seedFile: string;
  /** Public half of the signing key. */
  readonly signingKey: string;
  /** Public user key on the bus. */
  readonly busKey: string;
}

/** The keys of that folder, made the first time: a join that broke off is repeated with the same. */
export function agentKeys(dir: string): AgentKeys {
  const folder = join(dir, "secrets");
  const { seedFile, publicKey: busKey } = busCredential(folder);
  // Its name is told by the platform; see `nameKey`.
  const keyFile = signingKeyFile(folder, "agent:unnamed");
  return { keyFile, seedFile, busKey, signingKey: readKey(keyFile).x };
}

/** Writes into the key's file whose it is: tokens that are signed with it name it. */
export function nameKey(keyFile: string, nodeId: string): void {
  const draft = `${keyFile}.${process.pid}`;
  writeFileSync(draft, JSON.stringify({ ...readKey(keyFile), kid: `agent:${nodeId}` }), { mode: 0o600 });
  renameSync(draft, keyFile);
}

function readKey(keyFile: string): { readonly x: string } {
  // Written by signingKeyFile or nameKey only.
  return JSON.parse(readFileSync(keyFile, "utf8")) as { readonly x: string };
}
