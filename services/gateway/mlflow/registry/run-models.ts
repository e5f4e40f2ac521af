import { registry } from "@trainyard/contracts";
import type { MlflowCall } from "../http/endpoint.ts";
import { noModels, type RunModels } from "../tracking/run-json.ts";

const { listModelLinks, linkLoggedModels } = registry.LoggedModelService.method;

/** Most runs of one look-up. */
const RUNS_AT_ONCE = 500;

/** The logged models that runs were given and made. */
export async function modelsOfRuns(
  call: MlflowCall,
  runIds: readonly string[],
): Promise<ReadonlyMap<string, RunModels>> {
  // The look-up is by many runs at once; a rank may ask about its own only, and needs no models to log.
  if (call.principal.kind === "rank") return new Map();
  const models = new Map<string, RunModels>();
  for (let at = 0; at < runIds.length; at += RUNS_AT_ONCE) {
    const { links } = await call.rpc(listModelLinks, { runIds: runIds.slice(at, at + RUNS_AT_ONCE) });
    for (const { runId, modelId, output, step } of links) {
      const { inputs, outputs } = models.get(runId) ?? noModels;
      const made = { inputs, outputs: [...outputs, { modelId, step: Number(step) }] };
      models.set(runId, output ? made : { inputs: [...inputs, { modelId }], outputs });
    }
  }
  return models;
}

export async function modelsOfRun(call: MlflowCall, runId: string): Promise<RunModels> {
  return (await modelsOfRuns(call, [runId])).get(runId) ?? noModels;
}

interface Linked {
  readonly modelId: string;
  readonly step: number;
}

/** Records which models a run was given or made. */
export async function linkModels(
  call: MlflowCall,
  runId: string,
  {
    inputs = [],
    outputs = [],
  }: { readonly inputs?: readonly Linked[]; readonly outputs?: readonly Linked[] },
): Promise<void> {
  const link = (output: boolean) => (linked: Linked) => ({
    modelId: linked.modelId,
    output,
    step: BigInt(linked.step),
  });
  await call.rpc(linkLoggedModels, {
    runId,
    links: [...inputs.map(link(false)), ...outputs.map(link(true))],
  });
}
