import type { BlobStore } from "@trainyard/blob";
import type { Measured } from "../domain/measured.ts";
import { parseReport, ReportError } from "./parse-report.ts";

/** Largest report that is read: a thousand classes with their confusion matrix. */
export const maxReportBytes = 4 * 1024 * 1024;

/** Reads and checks a report. Throws ReportError when it cannot be used, whatever the blob store throws when it is out of reach. */
export async function readReport(blobs: Pick<BlobStore, "stat" | "open">, digest: string): Promise<Measured> {
  const found = await blobs.stat(digest);
  if (found === undefined) throw new ReportError(`evaluation.json (${digest}) is not in the blob store`);
  if (found.sizeBytes > maxReportBytes) {
    throw new ReportError(`evaluation.json has ${found.sizeBytes} bytes; at most ${maxReportBytes} are read`);
  }
  const chunks: Buffer[] = [];
  for await (const chunk of await blobs.open(digest)) chunks.push(Buffer.from(chunk));
  return parseReport(Buffer.concat(chunks));
}
