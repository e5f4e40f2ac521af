import { join } from "node:path";
import { DomainError } from "@trainyard/domain";
import { readIfExists, writeFileWhole } from "./private-file.ts";
import type { Jwk } from "./secrets.ts";

/** A node of another machine: its private keys are there, and only there. */
export interface JoinedNode {
  readonly nodeId: string;
  /** Public half of its agent's signing key: 32 bytes in base64url. */
  readonly signingKey: string;
  /** Its agent's public user key on the bus. */
  readonly busKey: string;
}

const FILE = "joined-nodes.json";

/** The nodes of other machines that have joined this platform. */
export function joinedNodes(dir: string): readonly JoinedNode[] {
  // Written by writeJoinedNode only.
  return JSON.parse(readIfExists(join(dir, FILE)) ?? "[]") as JoinedNode[];
}

/** Keeps a node; one that has joined before under its name is replaced. Throws NODE_NAME_TAKEN. */
export function writeJoinedNode(dir: string, node: JoinedNode, ownNodes: readonly string[]): void {
  if (ownNodes.includes(node.nodeId)) {
    const message = `"${node.nodeId}" is the name of a node of the platform's own machine: invite the other one under another name.`;
    throw new DomainError("already_exists", "NODE_NAME_TAKEN", message);
  }
  const others = joinedNodes(dir).filter(({ nodeId }) => nodeId !== node.nodeId);
  writeFileWhole(join(dir, FILE), `${JSON.stringify([...others, node], undefined, 2)}\n`);
}

/** Its signing key as others verify with it. */
export function joinedJwk({ nodeId, signingKey }: JoinedNode): Jwk {
  return { kty: "OKP", crv: "Ed25519", x: signingKey, kid: `agent:${nodeId}`, alg: "EdDSA", use: "sig" };
}
