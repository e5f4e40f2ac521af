import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { workeragent } from "@trainyard/contracts";
import type { Assignment } from "../domain/assignment.ts";
import { nodeKey } from "../domain/node-key.ts";
import { type Endpoint, endpointFrom } from "../domain/rank-endpoint.ts";
import { readJsonIfThere, writeDurably } from "./durable-file.ts";
import type { RendezvousBucket } from "./rendezvous.ts";
import type { Spool } from "./spool.ts";

/**
 * Every node tells where its ranks listen and gathers what the others tell into `endpoints.json`, which the ranks wait for.
 * Says whether all have told. Safe to repeat.
 */
export async function exchangeEndpoints(
  kv: RendezvousBucket,
  assignment: Assignment,
  spool: Spool,
): Promise<boolean> {
  const { groupRank, groupCount } = assignment;
  const own = await ownEndpoints(assignment, spool);
  if (own === undefined) return false;
  const message = create(workeragent.RankEndpointsSchema, { endpoints: own });
  await kv.put(nodeKey(assignment, groupRank), toBinary(workeragent.RankEndpointsSchema, message));
  const gathered: Record<string, Endpoint> = {};
  for (let group = 0; group < groupCount; group++) {
    const entry = await kv.get(nodeKey(assignment, group));
    if (entry === null || entry.value.length === 0) return false;
    for (const { rank, host, port } of fromBinary(workeragent.RankEndpointsSchema, entry.value).endpoints)
      gathered[String(rank)] = { host, port };
  }
  if (Object.keys(gathered).length < assignment.worldSize) return false;
  await writeDurably(spool.path("endpoints.json"), JSON.stringify(gathered));
  return true;
}

/** Where this node's ranks listen; undefined until all have told. */
async function ownEndpoints({ ranks }: Assignment, spool: Spool) {
  const told = await Promise.all(
    ranks.map(async ({ rank }) => {
      const endpoint = endpointFrom(await readJsonIfThere(spool.rankPath(rank, "endpoint.json")));
      return endpoint === undefined ? undefined : { rank, ...endpoint };
    }),
  );
  const known = told.filter((one) => one !== undefined);
  return known.length === ranks.length ? known : undefined;
}
