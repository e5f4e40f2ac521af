import { randomBytes } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import type { BlobStore } from "@trainyard/blob";
import { gateway } from "@trainyard/contracts";
import { DomainError, newId } from "@trainyard/domain";
import { crashPoint } from "@trainyard/failpoint";
import { actorOf, mutate } from "@trainyard/service";
import type { Store } from "@trainyard/store";
import type { Logger } from "@trainyard/telemetry";
import { hashSecret, newSecret, secretMatches } from "../auth/secret.ts";
import {
  assertNodeKeys,
  formatJoinToken,
  type JoinToken,
  joinTokenEnd,
  joinTokenInvalid,
  type NodeKeys,
  parseJoinToken,
  useJoinToken,
} from "../domain/join-token.ts";
import type { JoinTokens } from "../store/join-tokens.ts";

/** Lets a machine in: its key becomes one that services believe and the bus admits. Safe to repeat. */
export type AdmitNode = (node: NodeKeys & { readonly nodeId: string }) => Promise<{ readonly jwks: string }>;

/** What the join RPCs work with. */
export interface JoinParts {
  readonly store: Store;
  readonly joinTokens: JoinTokens;
  readonly blobs: Pick<BlobStore, "put">;
  /** Absent where the platform's keys and the bus's users are kept by someone else. */
  readonly admitNode?: AdmitNode | undefined;
  readonly urls: {
    readonly busUrl: string;
    readonly trackingUrl: string;
    readonly schedulerUrl: string;
    readonly blobUrl: string;
  };
  readonly logger: Logger;
}

/** So much of the blob store is read to see that it is the platform's. */
const PROBE_BYTES = 32;

export function nodeJoinService(parts: JoinParts): ServiceImpl<typeof gateway.NodeJoinService> {
  return {
    createJoinToken: (request, context) => createJoinToken(parts, request, context),
    joinNode: (request) => joinNode(parts, request),
  };
}

async function createJoinToken(
  { store, joinTokens, admitNode }: JoinParts,
  request: gateway.CreateJoinTokenRequest,
  context: HandlerContext,
): Promise<gateway.CreateJoinTokenResponse> {
  if (admitNode === undefined) throw joinNotAvailable();
  const createdAt = new Date();
  const { nodeId } = request;
  const expiresAt = joinTokenEnd(nodeId, Number(request.ttlSeconds), createdAt);
  const [id, secret] = [newId("join"), newSecret()];
  const schema = gateway.CreateJoinTokenResponseSchema;
  const answer = await mutate(store, request, context, schema, async (tx, principal) => {
    const createdBy = actorOf(principal);
    const token = { id, nodeId, secretHash: hashSecret(secret), createdBy, createdAt, expiresAt, version: 1 };
    await joinTokens.insert(token, tx);
    return create(schema, { id, nodeId, expiresAt: timestampFromDate(expiresAt) });
  });
  if (answer.id !== id) throw secretIsGone(answer.id);
  return { ...answer, secret: formatJoinToken(id, secret) };
}

async function joinNode(
  { store, joinTokens, blobs, admitNode, urls, logger }: JoinParts,
  { token: text, signingKey, busKey }: gateway.JoinNodeRequest,
): Promise<gateway.JoinNodeResponse> {
  if (admitNode === undefined) throw joinNotAvailable();
  const keys = { signingKey, busKey };
  assertNodeKeys(keys);
  const { nodeId } = await store.transaction("join node", async (tx) => {
    const token = await tokenOf(joinTokens, text, tx);
    const now = new Date();
    const used = useJoinToken(token, keys, now);
    if (used !== token) {
      await joinTokens.replace(used, tx);
      await joinTokens.supersedeOthers(used, now, tx);
    }
    return used;
  });
  crashPoint("gateway.JoinNode.committed");
  const { jwks } = await admitNode({ nodeId, ...keys });
  const { digest: probeDigest } = await blobs.put(randomBytes(PROBE_BYTES));
  logger.info({ nodeId }, "a node has joined");
  return create(gateway.JoinNodeResponseSchema, { nodeId, ...urls, jwks, probeDigest });
}

async function tokenOf(
  joinTokens: JoinTokens,
  text: string,
  tx: Parameters<JoinTokens["find"]>[1],
): Promise<JoinToken> {
  const parts = parseJoinToken(text);
  const token = parts === undefined ? undefined : await joinTokens.find(parts.id, tx);
  if (parts === undefined || token === undefined || !secretMatches(parts.secret, token.secretHash)) {
    throw joinTokenInvalid();
  }
  return token;
}

function joinNotAvailable(): DomainError {
  const message =
    "Machines do not join this deployment by token: its keys and the bus's users are kept by whoever deployed it. See docs/cluster.md.";
  return new DomainError("failed_precondition", "JOIN_NOT_AVAILABLE", message);
}

function secretIsGone(id: string): DomainError {
  const message = `This request made join token ${id} before; its secret was in the first answer and is not kept. Make another with a new request id.`;
  return new DomainError("already_exists", "JOIN_SECRET_GONE", message);
}
