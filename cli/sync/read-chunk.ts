import type { Frame, RecordReader } from "@trainyard/rank-file";
import { PointBatch } from "../moving/points.ts";
import type { Problems } from "../moving/problems.ts";
import { type LocalRecord, parseLocalRecord } from "./local-record.ts";

/** Objects of one chunk, at most: each is a call or an upload that is repeated when the chunk is. */
const maxRecords = 256;

/** What a rank recorded between two places of its file. */
export interface Chunk {
  readonly begin: number;
  readonly end: number;
  readonly points: PointBatch;
  readonly records: readonly { readonly offset: number; readonly record: LocalRecord }[];
}

/**
 * Reads the next chunk, up to `until` where that is given (to send again exactly what was begun), else as much as one
 * call takes. Empty (begin = end) when nothing more can be read yet.
 */
export async function readChunk(
  reader: RecordReader,
  until: number | undefined,
  problems: Problems,
): Promise<Chunk> {
  const begin = reader.position;
  const points = new PointBatch(problems);
  const records: { offset: number; record: LocalRecord }[] = [];
  while (until === undefined ? !points.isFull && records.length < maxRecords : reader.position < until) {
    const frame = await reader.next();
    if (frame === undefined) break;
    take(frame, points, records, problems);
  }
  return { begin, end: reader.position, points, records };
}

function take(
  { offset, content }: Frame,
  points: PointBatch,
  records: { offset: number; record: LocalRecord }[],
  problems: Problems,
): void {
  if (content.kind === "metrics") {
    for (const { key, value } of content.points) points.add(key, content.step, content.timeMs, value);
    return;
  }
  const record = content.kind === "object" ? parseLocalRecord(content.json) : undefined;
  if (record === undefined)
    problems.add(
      `the record at byte ${offset}`,
      content.kind === "skipped" ? content.why : "it is not understood",
    );
  else if (record !== "silent") records.push({ offset, record });
}
