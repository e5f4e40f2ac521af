import { randomBytes } from "node:crypto";
import { fromBinary } from "@bufbuild/protobuf";
import type { Bus } from "@trainyard/bus";
import { workeragent } from "@trainyard/contracts";
import { type Signer, signStackRequest } from "@trainyard/service";
import type { Logger } from "@trainyard/telemetry";
import type { Attempt } from "./domain/attempt.ts";
import type { Job } from "./domain/job.ts";

/** How long a node may take to answer: its agent waits at most half of it for its ranks. */
const REPLY_WITHIN_MS = 8_000;

/** Where one rank is; `text` is empty, and `problem` says why, when that could not be found out. */
export interface RankStack {
  readonly rank: number;
  readonly nodeId: string;
  readonly text: string;
  readonly problem: string;
}

/** Asks agents where the ranks of an attempt are. */
export interface Stacks {
  /** One entry per rank, ascending. `logAs` has the stacks written to the job's log too, under that line. Rejects only when the signal aborts. */
  capture(
    job: Pick<Job, "id">,
    attempt: Pick<Attempt, "number" | "placements">,
    options: { readonly logAs?: string; readonly signal?: AbortSignal },
  ): Promise<readonly RankStack[]>;
}

/** The asking side: requests are signed as orders are, for whoever may send them makes agents write to jobs' logs. */
export function createStacks(deps: {
  readonly bus: Bus;
  readonly signer: Pick<Signer, "kid" | "signBytes">;
  readonly logger: Logger;
}): Stacks {
  const { bus, signer, logger } = deps;

  async function ask(nodeId: string, jobId: string, attempt: number, logAs: string, signal: AbortSignal) {
    const replyId = randomBytes(16).toString("hex");
    const replies = bus.nc.subscribe(`agents.${nodeId}.stack-replies.${replyId}`, { max: 1 });
    const end = () => replies.unsubscribe();
    signal.addEventListener("abort", end, { once: true });
    try {
      const askedAtMs = BigInt(Date.now());
      const request = { jobId, attempt, askedAtMs, logAs, replyId };
      bus.nc.publish(`agents.${nodeId}.stacks`, await signStackRequest(signer, nodeId, request));
      for await (const message of replies)
        return fromBinary(workeragent.StackReplySchema, message.data).ranks;
      return undefined;
    } finally {
      signal.removeEventListener("abort", end);
      end();
    }
  }

  return {
    async capture({ id }, { number, placements }, { logAs = "", signal }) {
      const within = AbortSignal.any([
        AbortSignal.timeout(REPLY_WITHIN_MS),
        ...(signal === undefined ? [] : [signal]),
      ]);
      const perNode = await Promise.all(
        placements.map(async ({ nodeId, ranks }) => {
          const found = await ask(nodeId, id, number, logAs, within).catch((error: unknown) => {
            logger.warn({ err: error, node: nodeId, job: id }, "a node could not be asked for stacks");
            return undefined;
          });
          const missing =
            found === undefined ? `Node ${nodeId} did not answer in time.` : "The rank does not run.";
          return ranks.map((rank): RankStack => {
            const { text = "", problem = missing } = found?.find((one) => one.rank === rank) ?? {};
            return { rank, nodeId, text, problem };
          });
        }),
      );
      signal?.throwIfAborted();
      return perNode.flat().sort((a, b) => a.rank - b.rank);
    },
  };
}
