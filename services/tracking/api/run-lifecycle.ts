import { create } from "@bufbuild/protobuf";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import { tracking } from "@trainyard/contracts";
import { actorOf, principalOf } from "@trainyard/service";
import type { Tx } from "@trainyard/store";
import type { Deps } from "../deps.ts";
import type { Lifecycle } from "../domain/lifecycle.ts";
import { setLifecycle } from "../operations/set-lifecycle.ts";
import { runToProto } from "../wire/run-to-proto.ts";
import { answerOnce } from "./once.ts";

type Methods = Pick<ServiceImpl<typeof tracking.RunService>, "deleteRun" | "archiveRun" | "restoreRun">;

/** Out of sight, and back. */
export function runLifecycleApi(deps: Deps): Methods {
  const change = async (tx: Tx, runId: string, context: HandlerContext, to: Lifecycle) => {
    const principal = principalOf(context);
    return runToProto(await setLifecycle(deps, tx, { runId, to, principal, actor: actorOf(principal) }));
  };
  return {
    async deleteRun(request, context) {
      const schema = tracking.DeleteRunResponseSchema;
      return await answerOnce(deps, context, request, schema, async (tx) =>
        create(schema, { run: await change(tx, request.runId, context, "deleted") }),
      );
    },
    async archiveRun(request, context) {
      const schema = tracking.ArchiveRunResponseSchema;
      return await answerOnce(deps, context, request, schema, async (tx) =>
        create(schema, { run: await change(tx, request.runId, context, "archived") }),
      );
    },
    async restoreRun(request, context) {
      const schema = tracking.RestoreRunResponseSchema;
      return await answerOnce(deps, context, request, schema, async (tx) =>
        create(schema, { run: await change(tx, request.runId, context, "active") }),
      );
    },
  };
}
