import type { ServiceImpl } from "@connectrpc/connect";
import type { tracking } from "@trainyard/contracts";
import type { Deps } from "../deps.ts";
import { collectGarbage } from "../operations/collect-garbage.ts";
import { garbageSummaryToProto, garbageToProto, policyFromProto } from "../wire/garbage-to-proto.ts";

type Methods = Pick<ServiceImpl<typeof tracking.ArtifactService>, "collectGarbage">;

/** Collections that an admin asks for, over all projects: the platform's admins make the tokens of every project. */
export function garbageApi(deps: Deps): Methods {
  return {
    async *collectGarbage({ dryRun, policy }, context) {
      const collection = { dryRun, policy: policyFromProto(policy, deps.retention), signal: context.signal };
      const things = collectGarbage(deps, collection);
      for (;;) {
        const { value, done } = await things.next();
        yield done === true ? garbageSummaryToProto(value) : garbageToProto(value);
        if (done === true) return;
      }
    },
  };
}
