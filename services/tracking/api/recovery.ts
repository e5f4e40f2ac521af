import type { ServiceImpl } from "@connectrpc/connect";
import type { tracking } from "@trainyard/contracts";
import { principalOf, requestId } from "@trainyard/service";
import type { Deps } from "../deps.ts";
import { reportRecovery } from "../operations/report-recovery.ts";
import { handoverFromProto, recoveryFromProto } from "../wire/recovery.ts";

type Methods = Pick<ServiceImpl<typeof tracking.TrackingService>, "reportRecovery">;

/** What the death of a rank costs a run. */
export function recoveryApi(deps: Deps): Methods {
  return {
    async reportRecovery(request, context) {
      // The request id only names the record it came from: the last report stands, so repeating one changes nothing.
      requestId(request.requestId);
      const { runId, attempt, recovery, handover } = request;
      await reportRecovery(deps, {
        runId,
        attempt,
        nodeId: principalOf(context).name,
        ...(recovery === undefined ? {} : { recovery: recoveryFromProto(recovery) }),
        ...(handover === undefined ? {} : { handover: handoverFromProto(handover) }),
      });
      return {};
    },
  };
}
