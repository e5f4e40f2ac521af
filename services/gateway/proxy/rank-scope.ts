import type { DescMethod, Message } from "@bufbuild/protobuf";
import { registry } from "@trainyard/contracts";
import { DomainError } from "@trainyard/domain";
import type { Principal } from "@trainyard/service";

const { createLoggedModel } = registry.LoggedModelService.method;

/** Throws `permission_denied` RUN_NOT_OWN when a rank asks for another run than its own. */
export function assertOwnRun(principal: Principal, request: Message): void {
  if (principal.kind !== "rank") return;
  const asked = "runId" in request ? request.runId : undefined;
  if (asked === undefined || asked !== principal.run) throw notOwn(principal);
}

/**
 * The same, and for a logged model, whose run is the one that it was logged by. `runOfModel` asks the registry as the gateway
 * itself: which run a model is of decides whether the rank may ask.
 */
export async function assertOwn(
  principal: Principal,
  method: DescMethod,
  request: Message,
  runOfModel: (id: string) => Promise<string>,
): Promise<void> {
  if (principal.kind !== "rank") return;
  if (method.parent !== registry.LoggedModelService || "runId" in request)
    return assertOwnRun(principal, request);
  const run =
    method === createLoggedModel ? field(request, "sourceRunId") : await runOfModel(field(request, "id"));
  if (run === "" || run !== principal.run) throw notOwn(principal);
}

function field(request: Message, name: string): string {
  const value: unknown = Reflect.get(request, name);
  return typeof value === "string" ? value : "";
}

function notOwn({ run }: Principal): DomainError {
  return new DomainError(
    "permission_denied",
    "RUN_NOT_OWN",
    `A rank's token is for its own run, ${run}, and nothing else. Give that as run_id, or use an API token.`,
  );
}
