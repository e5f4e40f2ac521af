import type { Message } from "@bufbuild/protobuf";
import { DomainError } from "@trainyard/domain";
import type { Principal } from "@trainyard/service";

/** Throws `permission_denied` RUN_NOT_OWN when a rank asks for another run than its own. */
export function assertOwnRun(principal: Principal, request: Message): void {
  if (principal.kind !== "rank") return;
  const asked = "runId" in request ? request.runId : undefined;
  if (asked !== undefined && asked === principal.run) return;
  throw new DomainError(
    "permission_denied",
    "RUN_NOT_OWN",
    `A rank's token reads its own run, ${principal.run}, and nothing else. Give that as run_id, or use an API token.`,
  );
}
