import { createWriteStream } from "node:fs";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip, createGzip } from "node:zlib";
import type { tracking } from "@trainyard/contracts";
import { DomainError } from "@trainyard/domain";
import { z } from "zod";
import type { Clients } from "../client/clients.ts";
import { exactNumber } from "../compare/compare.ts";
import { metricKeysOf, readPoints } from "../export/read-points.ts";
import type { SeriesPoint } from "../moving/write-series.ts";
import { maxLineBytes, maxPointsBytes, pieceSchema } from "./bundle-format.ts";

/** Points of one line, at most. */
const pieceLength = 5_000;
const newline = 0x0a;

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
  let lines = 0;
  try {
    for await (const line of linesOf(bytes)) {
      lines += 1;
      const { key, steps, timesMs, values } = pieceSchema.parse(JSON.parse(line));
      for (let at = 0; at < steps.length; at += 1)
        yield { key, step: BigInt(steps[at] ?? 0), timeMs: timesMs[at] ?? 0, value: values[at] ?? 0 };
    }
  } catch (error) {
    if (error instanceof DomainError || !isUnreadable(error)) throw error;
    throw new DomainError(
      "failed_precondition",
      "BUNDLE_INVALID",
      `the points of a run are not readable after line ${lines}: ${error.message.slice(0, 300)}`,
      { cause: error },
    );
  }
}

/** Whether the content is to blame: no gzip, no JSON, or not the JSON of points. What the reader of it throws is its own. */
function isUnreadable(error: unknown): error is Error {
  const isGzip = error instanceof Error && "code" in error && String(error.code).startsWith("Z_");
  return isGzip || error instanceof SyntaxError || error instanceof z.ZodError;
}

/** Lines of gzipped text, inflated no further than a file of points may be. */
async function* linesOf(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const inflated = createGunzip();
  const flow = pipeline(Readable.from(bytes), inflated);
  // What goes wrong ends the iteration below as well.
  flow.catch(() => undefined);
  const pending: Buffer[] = [];
  let total = 0;
  let pendingBytes = 0;
  // A stream without an encoding gives buffers.
  for await (const chunk of inflated as AsyncIterable<Buffer>) {
    total += chunk.length;
    let from = 0;
    for (let end = chunk.indexOf(newline); end !== -1; end = chunk.indexOf(newline, from)) {
      yield Buffer.concat([...pending.splice(0), chunk.subarray(from, end)]).toString("utf8");
      pendingBytes = 0;
      from = end + 1;
    }
    pending.push(chunk.subarray(from));
    pendingBytes += chunk.length - from;
    if (total > maxPointsBytes || pendingBytes > maxLineBytes) throw tooMuch();
  }
  if (pendingBytes > 0) yield Buffer.concat(pending).toString("utf8");
}

function tooMuch(): DomainError {
  return new DomainError(
    "failed_precondition",
    "BUNDLE_INVALID",
    `a file of points inflates to more than ${maxPointsBytes} bytes, or has a line of more than ${maxLineBytes}`,
  );
}
