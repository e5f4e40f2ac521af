import { create } from "@bufbuild/protobuf";
import type { HandlerContext } from "@connectrpc/connect";
import { scheduler } from "@trainyard/contracts";
import { DomainError } from "@trainyard/domain";
import { actorOf, mutate, type Principal } from "@trainyard/service";
import type { Store, Tx } from "@trainyard/store";
import { MAX_DRAIN_SECONDS, MAX_REASON_LENGTH } from "../domain/limits.ts";
import type { Node } from "../domain/node.ts";
import type { NodeOrder } from "../domain/node-duty.ts";
import type { Violation } from "../domain/violation.ts";
import { expectInteger, expectThat } from "../domain/violation.ts";
import type { Heard } from "../fleet.ts";
import type { Jobs } from "../store/jobs.ts";
import type { NodeOrders } from "../store/node-orders.ts";
import type { Nodes } from "../store/nodes.ts";
import { LEADER_TOPIC, type Wake } from "../wake.ts";
import { heldOn, nodeToProto } from "../wire/node-to-proto.ts";

/** What ordering a node needs. */
export interface OrderDeps {
  readonly store: Store;
  readonly jobs: Jobs;
  readonly nodes: Nodes;
  readonly nodeOrders: NodeOrders;
  readonly latest: (nodeId: string) => Heard | undefined;
  readonly wake: Wake;
}

/** Time that gangs get to checkpoint when a drain says nothing. */
const DEFAULT_DRAIN_SECONDS = 120;

type Wish = Pick<NodeOrder, "nodeId" | "wish" | "reason" | "drainMs">;

/** Keeps new gangs from a node. */
export async function cordonNode(
  deps: OrderDeps,
  request: scheduler.CordonNodeRequest,
  context: HandlerContext,
): Promise<scheduler.CordonNodeResponse> {
  const { nodeId, reason } = request;
  assertOrder(checkReason(reason));
  return await ordered(deps, () =>
    mutate(deps.store, request, context, scheduler.CordonNodeResponseSchema, async (tx, principal) => {
      const node = await give(deps, tx, principal, { nodeId, wish: "cordoned", reason, drainMs: 0 });
      return create(scheduler.CordonNodeResponseSchema, { node });
    }),
  );
}

/** Gives a node work again. */
export async function uncordonNode(
  deps: OrderDeps,
  request: scheduler.UncordonNodeRequest,
  context: HandlerContext,
): Promise<scheduler.UncordonNodeResponse> {
  const { nodeId } = request;
  return await ordered(deps, () =>
    mutate(deps.store, request, context, scheduler.UncordonNodeResponseSchema, async (tx, principal) => {
      const node = await give(deps, tx, principal, { nodeId, wish: "open", reason: "", drainMs: 0 });
      return create(scheduler.UncordonNodeResponseSchema, { node });
    }),
  );
}

/** Empties a node. */
export async function drainNode(
  deps: OrderDeps,
  request: scheduler.DrainNodeRequest,
  context: HandlerContext,
): Promise<scheduler.DrainNodeResponse> {
  const { nodeId, reason, deadlineSeconds } = request;
  const seconds = deadlineSeconds === undefined ? DEFAULT_DRAIN_SECONDS : Number(deadlineSeconds);
  assertOrder([...checkReason(reason), ...expectInteger("deadline_seconds", seconds, 0, MAX_DRAIN_SECONDS)]);
  return await ordered(deps, () =>
    mutate(deps.store, request, context, scheduler.DrainNodeResponseSchema, async (tx, principal) => {
      const wish: Wish = { nodeId, wish: "drained", reason, drainMs: seconds * 1000 };
      return create(scheduler.DrainNodeResponseSchema, { node: await give(deps, tx, principal, wish) });
    }),
  );
}

async function ordered<T>({ wake }: OrderDeps, order: () => Promise<T>): Promise<T> {
  const answer = await order();
  wake.raise(LEADER_TOPIC);
  return answer;
}

async function give(deps: OrderDeps, tx: Tx, principal: Principal, wish: Wish): Promise<scheduler.Node> {
  const node: Node | undefined = await deps.nodes.find(wish.nodeId, tx);
  if (node === undefined) {
    const shown = JSON.stringify(wish.nodeId.slice(0, 128));
    throw new DomainError(
      "not_found",
      "NODE_NOT_FOUND",
      `No node ${shown} has ever joined; "trainyard nodes" lists those that have.`,
    );
  }
  const now = new Date();
  await deps.nodeOrders.give(tx, { ...wish, by: actorOf(principal), at: now }, node.project);
  return nodeToProto(node, heldOn(node.id, await deps.jobs.active()), deps.latest(node.id), now);
}

function checkReason(reason: string): readonly Violation[] {
  return expectThat(
    reason.length <= MAX_REASON_LENGTH,
    "reason",
    `expected at most ${MAX_REASON_LENGTH} characters, got ${reason.length}`,
  );
}

function assertOrder(violations: readonly Violation[]): void {
  const [first] = violations;
  if (first === undefined) return;
  const message = `${first.field}: ${first.description}.`;
  throw new DomainError("invalid_argument", "ORDER_INVALID", message, { violations });
}
