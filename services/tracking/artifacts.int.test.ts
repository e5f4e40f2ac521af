import { createHash } from "node:crypto";
import { scheduler, tracking } from "@trainyard/contracts";
import { fromConnectError, rpcClient } from "@trainyard/service";
import { testSigner } from "@trainyard/testing";
import { beforeAll, describe, expect, it } from "vitest";
import { aJob, ended, project, publishEvent, startTracking, type TestTracking } from "./test-service.ts";
import { asUser } from "./test-users.ts";

type ArtifactClient = ReturnType<typeof rpcClient<typeof tracking.ArtifactService>>;

let service: TestTracking;
let user: ArtifactClient;
let stranger: ArtifactClient;
const digestOf = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
let requests = 0;
const requestId = () => `request-${++requests}`;

beforeAll(async () => {
  service = await startTracking();
  const gateway = await testSigner("gateway");
  const as = (where: string, name: string) =>
    rpcClient(tracking.ArtifactService, service.app.server.url, {
      timeoutMs: 60_000,
      token: () =>
        gateway.sign({ name, kind: "user", roles: ["submitter"], project: where } as const, 60_000),
    });
  user = as(project, "ada");
  stranger = as("other", "eve");
});

async function aRun(): Promise<string> {
  const job = aJob();
  await publishEvent(service.bus, scheduler.JobSubmittedSchema, job, { job });
  await publishEvent(service.bus, scheduler.JobEndedSchema, job, { job: ended(job) });
  return job.runId;
}

async function put(runId: string, path: string, text: string) {
  // As the gateway holds an upload.
  const pin = { holder: `upload:${project}:ada`, ttlMs: 86_400_000 };
  const { digest, sizeBytes } = await service.blobs.put(Buffer.from(text), { pin });
  await user.putArtifact({ requestId: requestId(), runId, path, digest, sizeBytes: BigInt(sizeBytes) });
  return digest;
}

async function reason(call: Promise<unknown>): Promise<string> {
  return fromConnectError(
    await call.then(
      () => new Error("it succeeded"),
      (caught: unknown) => caught,
    ),
  ).reason;
}

const holders = async (digest: string) =>
  (await service.blobs.pins(digest)).filter((holder) => !holder.startsWith("upload:"));

describe("an artifact of an outside client", () => {
  it("is recorded in a run that has ended, found by its path, and holds its bytes", async () => {
    const runId = await aRun();
    const digest = await put(runId, "reports/a.txt", "hello");
    const { artifact } = await user.getArtifact({ runId, path: "reports/a.txt" });
    expect(artifact).toMatchObject({ path: "reports/a.txt", digest, sizeBytes: 5n });
    expect(await holders(digest)).toEqual([`run:default:${runId}`]);
  });

  it("that is put again under its path gives the first one's bytes up", async () => {
    const runId = await aRun();
    const first = await put(runId, "a.txt", `first of ${runId}`);
    const second = await put(runId, "a.txt", `second of ${runId}`);
    expect([await holders(first), await holders(second)]).toEqual([[], [`run:default:${runId}`]]);
  });

  it("is refused without its bytes, and where a file would be a folder", async () => {
    const runId = await aRun();
    await put(runId, "a/b", "x");
    const missing = { requestId: requestId(), runId, path: "c", digest: "a".repeat(64), sizeBytes: 1n };
    expect(await reason(user.putArtifact(missing))).toBe("BLOB_MISSING");
    expect(await reason(put(runId, "a/b/c", "x"))).toBe("ARTIFACT_PATH_TAKEN");
    expect(await reason(put(runId, "a", "x"))).toBe("ARTIFACT_PATH_TAKEN");
    expect(await reason(put(runId, "../a", "x"))).toBe("ARTIFACT_PATH_INVALID");
  });

  it("is refused by a run that is deleted, and so is taking one out", async () => {
    const { runs } = await asUser(service, "ada");
    const { run } = await runs.createRun({ requestId: requestId(), experiment: "e", name: "deleted" });
    const runId = run?.id ?? "";
    const digest = await put(runId, "a", "kept");
    await runs.deleteRun({ requestId: requestId(), runId });
    expect(await reason(put(runId, "b", `late in ${runId}`))).toBe("RUN_DELETED");
    const content = { case: "image", value: Buffer.from("GIF89a\x07\0\x05\0", "latin1") } as const;
    const media = { requestId: requestId(), runId, key: "t", step: 1n, content };
    expect(await reason(user.logMedia(media))).toBe("RUN_DELETED");
    const taken = { requestId: requestId(), runId, path: "a", recursive: false };
    expect(await reason(user.deleteArtifact(taken))).toBe("RUN_DELETED");
    expect(await holders(digest)).toEqual([`run:default:${runId}`]);
  });

  it("is nobody's of another project", async () => {
    const runId = await aRun();
    const digest = await put(runId, "a.txt", "x");
    expect(await reason(stranger.getArtifact({ runId, path: "a.txt" }))).toBe("RUN_NOT_FOUND");
    const theirs = { requestId: requestId(), runId, path: "b.txt", digest, sizeBytes: 1n };
    expect(await reason(stranger.putArtifact(theirs))).toBe("RUN_NOT_FOUND");
  });
});

describe("a large file on its way into the blob store", () => {
  const content = Buffer.concat([Buffer.alloc(16 * 1024 ** 2, 1), Buffer.from("the rest")]);
  const parts = [content.subarray(0, 16 * 1024 ** 2), content.subarray(16 * 1024 ** 2)].map(
    (bytes, index) => ({
      partNumber: index + 1,
      digest: digestOf(bytes),
      sizeBytes: BigInt(bytes.length),
      bytes,
    }),
  );
  const announced = { digest: digestOf(content), sizeBytes: BigInt(content.length) };

  it("is sent in parts, found again half sent, and refused to others until it is whole", async () => {
    const { uploadId, partSizeBytes, exists } = await user.beginUpload(announced);
    expect({ exists, partSizeBytes }).toEqual({ exists: false, partSizeBytes: 16n * 1024n ** 2n });
    const places = await user.presignParts({ uploadId, parts });
    expect(places.parts.map(({ url }) => url)).toEqual([
      `/api/v1/uploads/${uploadId}/parts/1`,
      `/api/v1/uploads/${uploadId}/parts/2`,
    ]);
    await service.blobs.uploadPart(uploadId, 1, parts[0]?.bytes ?? new Uint8Array());
    expect(await user.beginUpload(announced)).toMatchObject({ uploadId, parts: [{ partNumber: 1 }] });
    expect(await reason(stranger.presignParts({ uploadId, parts }))).toBe("UPLOAD_NOT_FOUND");
    expect(await reason(stranger.completeUpload({ uploadId }))).toBe("UPLOAD_NOT_FOUND");
    expect(await reason(user.completeUpload({ uploadId: "../x" }))).toBe("UPLOAD_NOT_FOUND");
    expect(await reason(user.completeUpload({ uploadId }))).toBe("SIZE_MISMATCH");
    await service.blobs.uploadPart(uploadId, 2, parts[1]?.bytes ?? new Uint8Array());
    expect(await user.completeUpload({ uploadId })).toMatchObject(announced);
    expect(await service.blobs.pins(announced.digest)).toContain("upload:default:ada");
    expect(await user.beginUpload(announced)).toMatchObject({ exists: true });
  });

  it("that is given up leaves nothing", async () => {
    const other = { digest: "b".repeat(64), sizeBytes: 5n };
    const { uploadId } = await user.beginUpload(other);
    await stranger.abortUpload({ uploadId });
    expect(await user.beginUpload(other)).toMatchObject({ uploadId });
    await user.abortUpload({ uploadId });
    await user.abortUpload({ uploadId });
    expect(await reason(user.completeUpload({ uploadId }))).toBe("UPLOAD_NOT_FOUND");
  });

  it("is refused by its size, and as nothing", async () => {
    const of = (sizeBytes: bigint) => user.beginUpload({ digest: "c".repeat(64), sizeBytes });
    expect(await reason(of(2n ** 40n))).toBe("BLOB_TOO_LARGE");
    expect(await reason(of(0n))).toBe("INVALID_FIELD");
    expect(await reason(user.beginUpload({ digest: "x", sizeBytes: 1n }))).toBe("DIGEST_INVALID");
  });
});

describe("a digest that leaked", () => {
  it("gives nobody of another project its content", async () => {
    const digest = await put(await aRun(), "secret.txt", "a secret");
    const gateway = await testSigner("gateway");
    const eve = { name: "eve", kind: "user", roles: ["submitter"], project: "other" } as const;
    const runs = rpcClient(tracking.RunService, service.app.server.url, {
      token: () => gateway.sign(eve, 60_000),
    });
    const { run } = await runs.createRun({ requestId: requestId(), experiment: "e", name: "eves" });
    const file = { runId: run?.id ?? "", path: "a", digest, sizeBytes: 8n };
    expect(await reason(stranger.putArtifact({ requestId: requestId(), ...file }))).toBe("BLOB_MISSING");
    // She has to send it, which shows that she has it.
    expect(await stranger.beginUpload({ digest, sizeBytes: 8n })).toMatchObject({ exists: false });
  });
});

describe("a run's artifacts as a tree", () => {
  it("are listed folder by folder and page by page, folders with what they hold", async () => {
    const runId = await aRun();
    for (const path of ["b", "a/x", "a/y/z", "a/y/ü", "a-b", "a.b/c", "c"]) await put(runId, path, path);
    const pages = async (path: string, pageSize: number) => {
      const names: string[] = [];
      for (let pageToken = ""; ; ) {
        const { entries, page } = await user.listArtifactTree({ runId, path, page: { pageSize, pageToken } });
        names.push(...entries.map((entry) => `${entry.path}${entry.isFolder ? "/" : ""}`));
        pageToken = page?.nextPageToken ?? "";
        if (pageToken === "") return names;
      }
    };
    const root = ["a/", "a-b", "a.b/", "b", "c"];
    expect(await pages("", 0)).toEqual(root);
    expect(await pages("", 1)).toEqual(root);
    expect(await pages("a", 1)).toEqual(["a/x", "a/y/"]);
    expect(await pages("a/y", 2)).toEqual(["a/y/z", "a/y/ü"]);
    expect(await pages("nothing", 0)).toEqual([]);
    const { entries } = await user.listArtifactTree({ runId });
    expect(entries[0]).toMatchObject({
      path: "a",
      isFolder: true,
      sizeBytes: 14n,
      fileCount: 3n,
      digest: "",
    });
  });

  it("lose a file, or a folder when that is said, and then its bytes are given up", async () => {
    const runId = await aRun();
    const digests = [];
    for (const path of ["a/x", "a/y/z", "ab"]) digests.push(await put(runId, path, `${path} of ${runId}`));
    const of = (path: string, recursive = false) => ({ requestId: requestId(), runId, path, recursive });
    expect(await reason(user.deleteArtifact(of("a")))).toBe("ARTIFACT_IS_FOLDER");
    const request = of("a", true);
    for (let time = 0; time < 2; time++) {
      expect(await user.deleteArtifact(request)).toMatchObject({ deletedCount: 2n });
    }
    expect(await user.deleteArtifact(of("a/x"))).toMatchObject({ deletedCount: 0n, deletedBytes: 0n });
    expect(await Promise.all(digests.map(holders))).toEqual([[], [], [`run:default:${runId}`]]);
    expect((await user.listArtifactTree({ runId })).entries.map(({ path }) => path)).toEqual(["ab"]);
  });
});
