import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { workeragent } from "@trainyard/contracts";
import type { Signer } from "./signer.ts";
import type { Verifier } from "./verifier.ts";

/** Whose word a request must be. */
const SCHEDULER_KID = "scheduler";

/** An older request is not answered: who recorded one cannot use it later. */
const MAX_AGE_MS = 30_000;

/** A request for stacks, signed for that node and no other. */
export async function signStackRequest(
  signer: Pick<Signer, "kid" | "signBytes">,
  nodeId: string,
  request: MessageInitShape<typeof workeragent.StackRequestSchema>,
): Promise<Uint8Array> {
  const payload = toBinary(workeragent.StackRequestSchema, create(workeragent.StackRequestSchema, request));
  const signature = await signer.signBytes(contextOf(nodeId), payload);
  const signed = create(workeragent.SignedStackRequestSchema, { payload, keyId: signer.kid, signature });
  return toBinary(workeragent.SignedStackRequestSchema, signed);
}

/** The request, if the scheduler signed it for this node a moment ago; `undefined` otherwise. */
export async function readStackRequest(
  verifier: Pick<Verifier, "verifyBytes">,
  nodeId: string,
  bytes: Uint8Array,
  nowMs: number,
): Promise<workeragent.StackRequest | undefined> {
  try {
    const { payload, keyId, signature } = fromBinary(workeragent.SignedStackRequestSchema, bytes);
    if (keyId !== SCHEDULER_KID) return undefined;
    if (!(await verifier.verifyBytes(SCHEDULER_KID, contextOf(nodeId), payload, signature))) return undefined;
    const request = fromBinary(workeragent.StackRequestSchema, payload);
    const isFresh = Math.abs(nowMs - Number(request.askedAtMs)) <= MAX_AGE_MS;
    return isFresh && /^[a-zA-Z0-9]{1,64}$/.test(request.replyId) ? request : undefined;
  } catch {
    return undefined;
  }
}

function contextOf(nodeId: string): string {
  return `stacks/node.${nodeId}`;
}
