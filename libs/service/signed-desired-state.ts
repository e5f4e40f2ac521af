import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { workeragent } from "@trainyard/contracts";
import type { Signer } from "./signer.ts";
import type { Verifier } from "./verifier.ts";

/** Whose word a desired state must be. */
const SCHEDULER_KID = "scheduler";

/** Most bytes of a desired state: with its signature and the bus's own headers it must stay below one message. */
export const MAX_DESIRED_STATE_BYTES = 1_000_000;

/** What a value of the desired-state bucket turned out to be. */
export type DesiredReading =
  | { readonly kind: "sound"; readonly state: workeragent.NodeDesiredState }
  /** Nobody may act upon it: `why` is for the log. */
  | { readonly kind: "refused"; readonly why: string };

/** The value to store for a node: signed for that node's key and no other. */
export async function signDesiredState(
  signer: Pick<Signer, "kid" | "signBytes">,
  state: workeragent.NodeDesiredState,
): Promise<Uint8Array> {
  const payload = toBinary(workeragent.NodeDesiredStateSchema, state);
  const signature = await signer.signBytes(contextOf(state.nodeId), payload);
  const signed = create(workeragent.SignedDesiredStateSchema, { payload, keyId: signer.kid, signature });
  return toBinary(workeragent.SignedDesiredStateSchema, signed);
}

/**
 * Reads the value of a node's key if the scheduler signed it for this node. The bus alone cannot keep others from
 * writing there: a server answers a request into any subject that it names as the reply.
 */
export async function readDesiredState(
  verifier: Pick<Verifier, "verifyBytes">,
  nodeId: string,
  value: Uint8Array,
): Promise<DesiredReading> {
  const signed = parsed(() => fromBinary(workeragent.SignedDesiredStateSchema, value));
  if (signed === undefined || signed.signature.length === 0) return refused("it is not signed");
  const { payload, keyId, signature } = signed;
  if (keyId !== SCHEDULER_KID) return refused(`it is signed with the key ${JSON.stringify(keyId)}`);
  if (!(await verifier.verifyBytes(SCHEDULER_KID, contextOf(nodeId), payload, signature))) {
    return refused("its signature is not the scheduler's for this node");
  }
  const state = parsed(() => fromBinary(workeragent.NodeDesiredStateSchema, payload));
  return state === undefined ? refused("it is signed, and unreadable") : { kind: "sound", state };
}

function contextOf(nodeId: string): string {
  return `desired/node.${nodeId}`;
}

function refused(why: string): DesiredReading {
  return { kind: "refused", why };
}

function parsed<T>(parse: () => T): T | undefined {
  try {
    return parse();
  } catch {
    return undefined;
  }
}
