import { tracking } from "@trainyard/contracts";
import { collectPages } from "../client/collect-pages.ts";
import { word } from "../follow/words.ts";
import type { Session } from "../session.ts";
import { formatBytes } from "../terminal/bytes.ts";
import { style } from "../terminal/style.ts";
import type { Column } from "../terminal/table.ts";
import { previewText } from "./preview-text.ts";

const kinds = {
  histogram: tracking.MediaKind.HISTOGRAM,
  image: tracking.MediaKind.IMAGE,
  table: tracking.MediaKind.TABLE,
} as const;

/** The options of `artifacts media`. */
export interface MediaFlags {
  readonly kind?: keyof typeof kinds;
  readonly key?: string;
  readonly from?: number;
  readonly to?: number;
  readonly limit: number;
}

/** Lists what a run's steps look like. */
export async function listMedia(session: Session, runId: string, flags: MediaFlags): Promise<void> {
  const { artifacts } = await session.clients();
  const { items } = await collectPages(flags.limit, async (page) => {
    const answer = await artifacts.listMedia({
      runId,
      kind: flags.kind === undefined ? tracking.MediaKind.UNSPECIFIED : kinds[flags.kind],
      key: flags.key ?? "",
      ...(flags.from === undefined ? {} : { minStep: BigInt(flags.from) }),
      ...(flags.to === undefined ? {} : { maxStep: BigInt(flags.to) }),
      page,
    });
    return { items: answer.media, next: answer.page?.nextPageToken ?? "" };
  });
  if (session.json) {
    const $typeName = "trainyard.tracking.v1.ListMediaResponse";
    session.printMessage(tracking.ListMediaResponseSchema, { $typeName, media: [...items] });
    return;
  }
  const columns: Column<tracking.Media>[] = [
    { title: "kind", cell: ({ kind }) => word(tracking.MediaKind, kind) },
    { title: "key", cell: ({ key }) => key },
    { title: "step", cell: ({ step }) => String(step) },
    { title: "rank", cell: ({ rank }) => String(rank) },
    { title: "size", cell: ({ artifact }) => formatBytes(artifact?.sizeBytes ?? 0n) },
    { title: "path", cell: ({ artifact }) => artifact?.path ?? "" },
  ];
  session.printTable(columns, items, "The run has logged no such histogram, image or table.");
}

/** Shows what a file holds. */
export async function showArtifact(session: Session, runId: string, path: string): Promise<void> {
  const { artifacts } = await session.clients();
  const answer = await artifacts.previewArtifact({ runId, path });
  if (session.json) return session.printMessage(tracking.PreviewArtifactResponseSchema, answer);
  session.print(previewText(answer));
  const size = formatBytes(answer.artifact?.sizeBytes ?? 0n);
  const hint = `there is more of it, ${size} in all: npx trainyard artifacts get ${runId} ${path}`;
  if (answer.truncated && session.isTerminal) session.print(style.dim(hint));
}
