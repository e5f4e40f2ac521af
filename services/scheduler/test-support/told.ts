/** What the API tells of nodes and of jobs that wait, as tests ask it. */
import { scheduler } from "@trainyard/contracts";
import { waitFor } from "@trainyard/testing";
import type { World } from "./world.ts";

export type Api = Awaited<ReturnType<World["api"]>>;

export async function nodeOf(api: Api, nodeId: string): Promise<scheduler.Node> {
  const { nodes } = await api.listNodes({});
  const node = nodes.find(({ id }) => id === nodeId);
  if (node === undefined) throw new Error(`no node ${nodeId}`);
  return node;
}

/** Waits until the job waits for this, and gives what is told of it. */
export function waits(
  api: Api,
  jobId: string,
  reason: scheduler.PendingReason,
): Promise<NonNullable<scheduler.Job["pending"]>> {
  return waitFor(`job to wait for ${scheduler.PendingReason[reason]}`, async () => {
    const { job } = await api.getJob({ jobId });
    return job?.pending?.reason === reason ? job.pending : undefined;
  });
}
