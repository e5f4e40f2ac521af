import { scheduler, tracking } from "@trainyard/contracts";
import { newId } from "@trainyard/domain";
import { crashPoint } from "@trainyard/failpoint";
import { type EventHandler, on } from "@trainyard/store";
import type { Logger } from "@trainyard/telemetry";
import type { RegistryParts } from "../api/deps.ts";
import { registerVersion } from "../register-version.ts";
import { versionOfRun } from "../version-of-run.ts";

/** A completed training run whose job names a model becomes a version of it, in staging, once. */
export function registerTrainedModel(
  { repository, holds }: Pick<RegistryParts, "repository" | "holds">,
  logger: Logger,
): EventHandler {
  return on(tracking.RunEndedSchema, { mode: "every-one" }, async (tx, event) => {
    const { run } = event.data;
    const target = run?.spec?.model;
    if (run === undefined || target === undefined || target.name === "") return;
    if (run.status !== tracking.RunStatus.COMPLETED || run.spec?.kind === scheduler.JobKind.EVALUATION)
      return;
    if (run.model === undefined) {
      logger.warn({ run: run.id, model: target.name }, "the job names a model, but its script logged none");
      return;
    }
    if ((await repository.findVersionByRun(run.id, tx)) !== undefined) return;
    const input = versionOfRun(run, target.name);
    await holds.hold(input);
    const version = await registerVersion(repository, tx, newId("mv"), input, new Date());
    crashPoint("registry.version.before-commit");
    logger.info({ model: version.model, version: version.version, run: run.id }, "model version registered");
  });
}
