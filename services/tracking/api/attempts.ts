import type { ServiceImpl } from "@connectrpc/connect";
import type { tracking } from "@trainyard/contracts";
import { assertId, assertName, DomainError } from "@trainyard/domain";
import { actorOf, type Principal, principalOf } from "@trainyard/service";
import type { Deps } from "../deps.ts";
import { invalidField } from "../domain/errors.ts";
import { contiguousEnd } from "../domain/offset-ranges.ts";
import type { Reporter } from "../domain/reporter.ts";
import type { TelemetryKind } from "../domain/telemetry-source.ts";
import { settleArrivals } from "../operations/await-run.ts";
import { openAttempt } from "../operations/open-attempt.ts";
import type { StoredSource } from "../store/stored-ranges.ts";
import { checkpointToProto } from "../wire/checkpoint-to-proto.ts";
import { boundedNumber } from "../wire/numbers.ts";

const MAX_ATTEMPT = 1_000_000;
const MAX_NODES = 4_096;

type Methods = Pick<ServiceImpl<typeof tracking.TrackingService>, "openAttempt" | "getTelemetryOffsets">;

/** Beginning an attempt, and how much of it is stored. */
export function attemptsApi(deps: Deps): Methods {
  return {
    async openAttempt(request, context) {
      const principal = principalOf(context);
      assertScheduler(principal);
      const { runId, jobId, project } = request;
      assertId("run", "run_id", runId);
      assertId("job", "job_id", jobId);
      assertName("project", project);
      const { startFromCheckpointId: startFrom } = request;
      if (startFrom !== "") assertId("ckpt", "start_from_checkpoint_id", startFrom);
      const attempt = boundedNumber("attempt", request.attempt, 1, MAX_ATTEMPT);
      const resume = await openAttempt(deps, {
        runId,
        jobId,
        project,
        attempt,
        ...(startFrom === "" ? {} : { startFrom }),
        reporters: reportersFrom(request.nodes),
        actor: actorOf(principal),
      });
      return resume === undefined ? {} : { resume: checkpointToProto(resume) };
    },

    async getTelemetryOffsets({ runId, attempt }, { signal }) {
      await settleArrivals(deps, runId, signal);
      const stored = await deps.records.storedRanges.ofRun(runId, { attempt });
      const ranks = [...new Set(stored.map(({ source }) => source.rank))].sort((a, b) => a - b);
      return {
        ranks: ranks.map((rank) => ({
          rank,
          records: endOf(stored, rank, "records"),
          stdout: endOf(stored, rank, "stdout"),
          stderr: endOf(stored, rank, "stderr"),
        })),
      };
    },
  };
}

function reportersFrom(nodes: readonly tracking.AttemptNode[]): readonly Reporter[] {
  if (nodes.length > MAX_NODES)
    throw invalidField("nodes", `${nodes.length} nodes; at most ${MAX_NODES} (MAX_NODES)`);
  return nodes.map(({ nodeId, ranks }) => ({ nodeId, ranks }));
}

function endOf(stored: readonly StoredSource[], rank: number, kind: TelemetryKind): bigint {
  const found = stored.find(({ source }) => source.rank === rank && source.kind === kind);
  return BigInt(contiguousEnd(found?.ranges ?? []));
}

/** Who fences attempts decides which ranks' work counts: that is the scheduler alone. */
export function assertScheduler({ kind, name }: Principal): void {
  if (kind === "service" && name === "scheduler") return;
  throw new DomainError(
    "permission_denied",
    "KIND_NOT_ADMITTED",
    `This method is for the scheduler, not for ${kind} ${name}.`,
  );
}
