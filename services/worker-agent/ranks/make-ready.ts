import { crashPoint } from "@trainyard/failpoint";
import { withSpan } from "@trainyard/telemetry";
import type { Assignment } from "../domain/assignment.ts";
import { secretEnv } from "../prepare/place-secrets.ts";
import { prepareAttempt } from "../prepare/prepare-attempt.ts";
import type { AttemptDeps } from "./attempt-deps.ts";
import { shimSpec } from "./shim-spec.ts";
import type { Spool } from "./spool.ts";

const TRACER = "worker-agent";

/**
 * Makes the attempt's directory, with the shim's input unless the job brings a Python of its own, which can only be made
 * when the code is there. Throws `StartError`, or the signal's reason when the attempt was stopped meanwhile.
 */
export async function fetchParts(
  deps: AttemptDeps,
  assignment: Assignment,
  {
    message,
    spool,
    signal,
  }: { readonly message: Uint8Array; readonly spool: Spool; readonly signal: AbortSignal },
): Promise<void> {
  const spec = bringsPython(assignment)
    ? undefined
    : (secrets: Readonly<Record<string, string>>) =>
        shimSpec(assignment, { ...deps.node, attemptDir: spool.dir }, deps.shim.python, secrets);
  await withSpan(TRACER, "prepare attempt", { parent: assignment.traceparent }, () =>
    prepareAttempt(deps.prepare, assignment, { assignment: message, spec }, signal),
  );
}

/** Makes the job's own Python and gives the shim's input for it. Throws as `fetchParts` does. */
export async function specWithOwnPython(
  deps: AttemptDeps,
  assignment: Assignment,
  { spool, signal }: { readonly spool: Spool; readonly signal: AbortSignal },
): Promise<string> {
  const made = await withSpan(TRACER, "make Python environment", { parent: assignment.traceparent }, () =>
    deps.python(assignment, spool, signal),
  );
  crashPoint("agent.python.made");
  const node = { ...deps.node, sdkPath: made.sdkPath, attemptDir: spool.dir };
  return shimSpec(assignment, node, made.interpreter, await secretEnv(spool.dir));
}

/** Whether the ranks run under a Python that the job brings, not the node's. */
export function bringsPython(assignment: Assignment): boolean {
  return assignment.work.python !== undefined;
}
