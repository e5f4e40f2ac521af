import type { Message } from "@bufbuild/protobuf";
import type { GenMessage } from "@bufbuild/protobuf/codegenv2";
import type { HandlerContext } from "@connectrpc/connect";
import { actorOf, methodPath, principalOf, requestHash, requestId } from "@trainyard/service";
import { messageAnswer, onceByRequest, type Tx } from "@trainyard/store";
import type { Deps } from "../deps.ts";
import { creatingTransaction } from "../store/session.ts";

/**
 * Answers a mutating call in one transaction with its effect; the same request id gets the same answer for 7 days. Calls
 * about one run take turns.
 */
export async function answerOnce<T extends Message>(
  deps: Deps,
  context: HandlerContext,
  request: Message & { readonly requestId: string },
  schema: GenMessage<T>,
  effect: (tx: Tx) => Promise<T>,
): Promise<T> {
  const key = {
    principal: actorOf(principalOf(context)),
    method: methodPath(context.method),
    requestId: requestId(request.requestId),
    requestHash: requestHash(request),
    codec: messageAnswer(schema),
  };
  const answer = () =>
    creatingTransaction(deps.store, context.method.name, (tx) => onceByRequest(tx, key, () => effect(tx)));
  return "runId" in request && typeof request.runId === "string"
    ? deps.turns.take(request.runId, answer)
    : answer();
}
