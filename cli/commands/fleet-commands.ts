import type { AddCommands } from "../command.ts";
import { wholeNumber } from "../command.ts";
import type { DrainFlags, OrderFlags } from "../fleet/fleet-actions.ts";
import type { Session } from "../session.ts";

const load = () => import("../fleet/fleet-actions.ts");

/** `nodes` with `cordon`, `drain` and `uncordon`; `queues`. */
export const addFleetCommands: AddCommands = (program, action) => {
  const nodes = program
    .command("nodes")
    .description("the machines, their slots, and what keeps new work from them")
    .action(action(async (session: Session) => (await load()).nodes(session)));
  nodes
    .command("show")
    .argument("<node>", "a node's id")
    .description("one node: what it is, what it uses now, its GPUs and their errors")
    .action(
      action(async (session: Session, id: string) =>
        (await import("../fleet/show-node.ts")).showNode(session, id),
      ),
    );
  nodes
    .command("cordon")
    .argument("<node>", "a node's id")
    .description("keep new gangs from a node; what runs there goes on")
    .option("--reason <text>", "why, for whoever looks")
    .action(
      action(async (session: Session, id: string, flags: OrderFlags) =>
        (await load()).cordon(session, id, flags),
      ),
    );
  nodes
    .command("drain")
    .argument("<node>", "a node's id")
    .description("empty a node: what runs there is asked for a checkpoint and goes on elsewhere")
    .option("--reason <text>", "why, for whoever looks")
    .option(
      "--deadline <seconds>",
      "stop what has not checkpointed by then",
      wholeNumber("the deadline", 0, 86_400),
      120,
    )
    .option("--no-wait", "do not wait until the node is drained")
    .addHelpText(
      "after",
      `
The gangs are asked to checkpoint at a step ahead of them (run.should_checkpoint says yes there), and go on from it on other
nodes as soon as it is stored. What has no checkpoint by the deadline is stopped all the same, and goes on from its last one.
The node stays empty, over restarts of its agent too, until you uncordon it.

Example:
  $ npx trainyard nodes drain gpu-7 --reason "new driver" --deadline 600`,
    )
    .action(
      action(async (session: Session, id: string, flags: DrainFlags) =>
        (await load()).drain(session, id, flags),
      ),
    );
  nodes
    .command("uncordon")
    .argument("<node>", "a node's id")
    .description("give a node work again, after a cordon, a drain or a cool-down")
    .action(action(async (session: Session, id: string) => (await load()).uncordon(session, id)));
  program
    .command("queues")
    .description("the queues, what waits and runs in each")
    .action(action(async (session: Session) => (await load()).queues(session)));
};
