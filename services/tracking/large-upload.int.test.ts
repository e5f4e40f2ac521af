import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { tracking } from "@trainyard/contracts";
import { testS3 } from "@trainyard/testing";
import { expect, it } from "vitest";
import { spawnTracking } from "./test-process.ts";
import { clientOf, startTracking } from "./test-service.ts";
import { nextRequest } from "./test-users.ts";

const MIB = 1024 ** 2;
const PARTS = 4;
const PART_BYTES = 64 * MIB;
const MAX_GROWTH_BYTES = 64 * MIB;

/** The most memory that a process has had at once. */
async function peakBytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return Number(/^VmHWM:\s+(\d+) kB$/mu.exec(status)?.[1]) * 1024;
}

it("a file of hundreds of megabytes goes to S3 without passing through the service", async () => {
  const [service, s3] = [await startTracking({ start: false }), await testS3()];
  const { child, url } = await spawnTracking(service, {
    TRAINYARD_BLOB_URL: s3.url("large"),
    ...s3.env,
  });
  const artifacts = await clientOf(tracking.ArtifactService, url, "user");
  const runs = await clientOf(tracking.RunService, url, "user");
  const { run } = await runs.createRun({ requestId: nextRequest(), experiment: "large" });
  const runId = run?.id ?? "";
  const block = Buffer.alloc(PART_BYTES, 7);
  const whole = createHash("sha256");
  for (let part = 0; part < PARTS; part++) whole.update(block);
  const file = { digest: whole.digest("hex"), sizeBytes: BigInt(PARTS * PART_BYTES) };
  const blockDigest = createHash("sha256").update(block).digest("hex");
  const { uploadId } = await artifacts.beginUpload(file);
  const parts = Array.from({ length: PARTS }, (_, n) => {
    return { partNumber: n + 1, digest: blockDigest, sizeBytes: BigInt(PART_BYTES) };
  });
  const places = await artifacts.presignParts({ uploadId, parts });
  // The client of S3 is loaded by now.
  const before = await peakBytes(child.pid);
  for (const place of places.parts) {
    expect(new URL(place.url).host).not.toBe(new URL(url).host);
    const { status } = await fetch(place.url, { method: "PUT", headers: place.headers, body: block });
    expect(status).toBe(200);
  }
  expect(await artifacts.completeUpload({ uploadId }, { timeoutMs: 120_000 })).toMatchObject(file);
  const { artifact } = await artifacts.putArtifact({
    requestId: nextRequest(),
    runId,
    path: "model.bin",
    ...file,
  });
  expect(artifact).toMatchObject({ path: "model.bin", ...file });
  expect((await peakBytes(child.pid)) - before).toBeLessThan(MAX_GROWTH_BYTES);
});
