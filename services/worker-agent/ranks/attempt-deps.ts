import type { BlobStore } from "@trainyard/blob";
import type { Logger } from "@trainyard/telemetry";
import type { Assignment } from "../domain/assignment.ts";
import type { NodeForRanks } from "../domain/rank-environment.ts";
import type { RankUsage } from "../domain/rank-usage.ts";
import type { BusLink } from "../heartbeat/bus-link.ts";
import type { PrepareDeps } from "../prepare/prepare-attempt.ts";
import type { TrackingClient } from "../telemetry/act-on-record.ts";
import type { TelemetryPublisher } from "../telemetry/publisher.ts";
import type { Spool } from "./spool.ts";
import type { ShimCommand, WarmStarter } from "./start-shim.ts";

/** The interpreter for a job's ranks, and where the SDK is for it. */
export interface MadePython {
  readonly interpreter: string;
  readonly sdkPath: string;
}

/** Makes the Python that the assignment's job brings, with its progress in the job's log. Throws `StartError`. */
export type MakePython = (assignment: Assignment, spool: Spool, signal: AbortSignal) => Promise<MadePython>;

/** What an attempt works with: the same for all attempts of a node. */
export interface AttemptDeps {
  readonly prepare: PrepareDeps;
  readonly link: BusLink;
  readonly publisher: TelemetryPublisher;
  readonly tracking: TrackingClient;
  readonly blobs: BlobStore;
  readonly shim: ShimCommand;
  /** Makes the Python that a job brings. */
  readonly python: MakePython;
  readonly launcher: WarmStarter;
  readonly node: Omit<NodeForRanks, "attemptDir">;
  readonly logger: Logger;
  /** What the rank with this process and these slots uses now. */
  readonly usage: (pid: number, slots: readonly number[]) => RankUsage | undefined;
  /** Called whenever the status has changed. */
  readonly onChange: () => void;
}
