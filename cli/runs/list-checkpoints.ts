import { tracking } from "@trainyard/contracts";
import { formatMetric } from "../follow/metric-value.ts";
import { word } from "../follow/words.ts";
import type { Session } from "../session.ts";
import { formatBytes } from "../terminal/bytes.ts";
import { style } from "../terminal/style.ts";
import { type Column, renderTable } from "../terminal/table.ts";

const METRICS_SHOWN = 3;

/** Lists the checkpoints of a run that can be resumed or started from, the newest first. */
export async function listCheckpoints(session: Session, id: string): Promise<void> {
  const { tracking: client } = await session.clients();
  const response = await client.listCheckpoints({ runId: id });
  if (session.json) {
    session.printMessage(tracking.ListCheckpointsResponseSchema, response);
    return;
  }
  session.print(renderTable(columns(session), response.checkpoints));
  const [newest] = response.checkpoints;
  if (newest === undefined) session.say(style.dim("none is committed yet"));
  else
    session.say(
      style.dim(`start from one: npx trainyard submit job.yaml --from ${newest.runId}@${newest.step}`),
    );
}

function columns(session: Session): readonly Column<tracking.Checkpoint>[] {
  return [
    { title: "STEP", cell: ({ step }) => String(step) },
    { title: "ATTEMPT", cell: ({ attempt }) => String(attempt) },
    { title: "RANKS", cell: ({ worldSize }) => String(worldSize) },
    { title: "KIND", cell: ({ kind }) => word(tracking.CheckpointKind, kind) },
    { title: "SIZE", cell: ({ sizeBytes }) => formatBytes(sizeBytes) },
    { title: "COMMITTED", cell: ({ committedAt }) => session.time(committedAt) },
    { title: "METRICS", cell: metricsOf },
    { title: "DIGEST", cell: ({ digest }) => digest.slice(0, 12) },
  ];
}

function metricsOf({ metrics }: tracking.Checkpoint): string {
  const shown = Object.entries(metrics).sort(([a], [b]) => (a < b ? -1 : 1));
  return shown
    .slice(0, METRICS_SHOWN)
    .map(([key, value]) => `${key}=${formatMetric(value)}`)
    .join(" ");
}
