import type { Message, MessageShape } from "@bufbuild/protobuf";
import type { GenMessage } from "@bufbuild/protobuf/codegenv2";
import type { HandlerContext } from "@connectrpc/connect";
import { crashPoint } from "@trainyard/failpoint";
import { messageAnswer, onceByRequest, type Store, type Tx } from "@trainyard/store";
import { methodPath } from "./access.ts";
import { actorOf, type Principal, principalOf } from "./principal.ts";
import { requestHash, requestId } from "./request-id.ts";

/**
 * Runs a mutating method: once per (caller, method, request id), its answer committed with its effect. `fn` runs in the
 * transaction and may run again, so ids it needs are made outside of it. Throws what `requestId` and `onceByRequest` throw.
 */
export async function mutate<
  Request extends Message & { readonly requestId: string },
  Response extends Message,
>(
  store: Store,
  request: Request,
  context: HandlerContext,
  answer: GenMessage<Response>,
  fn: (tx: Tx, principal: Principal) => Promise<MessageShape<GenMessage<Response>>>,
): Promise<Response> {
  const principal = principalOf(context);
  const method = methodPath(context.method);
  const key = {
    principal: actorOf(principal),
    method,
    requestId: requestId(request.requestId),
    requestHash: requestHash({ ...request, requestId: "" }),
    codec: messageAnswer(answer),
  };
  const answered = await store.transaction(method, (tx) => onceByRequest(tx, key, () => fn(tx, principal)));
  crashPoint(`${context.service.typeName.split(".")[1]}.${context.method.name}.committed`);
  return answered;
}
