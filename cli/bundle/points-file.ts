import { createWriteStream } from "node:fs";
import { createInterface } from "node:readline";
import { Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip, createGzip } from "node:zlib";
import type { tracking } from "@trainyard/contracts";
import { DomainError } from "@trainyard/domain";
import type { Clients } from "../client/clients.ts";
import { exactNumber } from "../compare/compare.ts";
import { metricKeysOf, readPoints } from "../export/read-points.ts";
import type { SeriesPoint } from "../moving/write-series.ts";
import { maxLineBytes, maxPointsBytes, pieceSchema } from "./bundle-format.ts";

/** Points of one line, at most. */
const pieceLength = 5_000;

/** Writes every visible point of a run, a line per piece: series by key, each by step, then time. Gives how many. */
export async function writePointsFile(clients: Clients, runId: string, file: string): Promise<number> {
  let count = 0;
  async function* lines() {
    for (const key of await metricKeysOf(clients, runId))
      for await (const points of readPoints(clients, runId, key)) {
        count += points.length;
        for (const piece of piecesOf(points)) yield `${JSON.stringify({ key, ...piece })}\n`;
      }
  }
  await pipeline(Readable.from(lines()), createGzip({ level: 6 }), createWriteStream(file, { mode: 0o600 }));
  return count;
}

/** Points that follow each other and are of one rank and attempt. */
function* piecesOf(points: readonly tracking.MetricPoint[]) {
  for (let at = 0; at < points.length; ) {
    const { rank, attempt } = points[at] ?? { rank: -1, attempt: 0 };
    let end = at;
    while (end < points.length && end - at < pieceLength && isOf(points[end], rank, attempt)) end += 1;
    const piece = points.slice(at, end);
    yield {
      rank,
      attempt,
      steps: piece.map(({ step }) => Number(step)),
      timesMs: piece.map(({ timeMs }) => exactNumber(timeMs)),
      values: piece.map(({ value }) => exactNumber(value)),
    };
    at = end;
  }
}

function isOf(point: tracking.MetricPoint | undefined, rank: number, attempt: number): boolean {
  return point?.rank === rank && point.attempt === attempt;
}

/** The points of such a file, as they come. Throws BUNDLE_INVALID for what is no such file, or inflates beyond the limit. */
export async function* readPointsFile(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<SeriesPoint> {
  const content = Readable.from(bytes);
  const inflated = content.compose(createGunzip()).compose(capped());
  let lines = 0;
  try {
    for await (const line of createInterface({ input: inflated, crlfDelay: Number.POSITIVE_INFINITY })) {
      lines += 1;
      const { key, steps, timesMs, values } = pieceSchema.parse(JSON.parse(line));
      for (let at = 0; at < steps.length; at += 1)
        yield { key, step: BigInt(steps[at] ?? 0), timeMs: timesMs[at] ?? 0, value: values[at] ?? 0 };
    }
  } catch (error) {
    if (error instanceof DomainError) throw error;
    const why = error instanceof Error ? error.message : String(error);
    throw new DomainError(
      "failed_precondition",
      "BUNDLE_INVALID",
      `the points of a run are not readable at line ${lines}: ${why.slice(0, 300)}`,
      { cause: error },
    );
  } finally {
    content.destroy();
  }
}

/** Lets through lines of a bearable length, up to what a file of points may have in all. */
function capped(): Transform {
  let total = 0;
  let line = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      total += chunk.length;
      const end = chunk.lastIndexOf(0x0a);
      const longest = Math.max(line + (end === -1 ? chunk.length : chunk.indexOf(0x0a)), 0);
      line = end === -1 ? line + chunk.length : chunk.length - end - 1;
      const isTooMuch = total > maxPointsBytes || longest > maxLineBytes;
      done(isTooMuch ? tooMuch() : null, chunk);
    },
  });
}

function tooMuch(): DomainError {
  return new DomainError(
    "failed_precondition",
    "BUNDLE_INVALID",
    `a file of points inflates to more than ${maxPointsBytes} bytes, or has a line of more than ${maxLineBytes}`,
  );
}
