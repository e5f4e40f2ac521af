import type { ServiceImpl } from "@connectrpc/connect";
import type { tracking } from "@trainyard/contracts";
import { DomainError } from "@trainyard/domain";
import { principalOf } from "@trainyard/service";
import type { Deps } from "../deps.ts";
import { collectGarbage } from "../operations/collect-garbage.ts";
import { garbageSummaryToProto, garbageToProto, policyFromProto } from "../wire/garbage-to-proto.ts";

type Methods = Pick<ServiceImpl<typeof tracking.ArtifactService>, "collectGarbage">;

/** Collections that somebody asks for. */
export function garbageApi(deps: Deps): Methods {
  return {
    async *collectGarbage({ dryRun, policy }, context) {
      if (principalOf(context).project !== undefined) throw ofOneProject();
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

function ofOneProject(): DomainError {
  const message =
    "A collection looks at the blobs of all projects; your token is for one. Use an admin's that is for all.";
  return new DomainError("permission_denied", "ALL_PROJECTS_NEEDED", message);
}
