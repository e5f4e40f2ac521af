import { scheduler, tracking } from "@trainyard/contracts";
import { fromConnectError, rpcClient } from "@trainyard/service";
import { testSigner } from "@trainyard/testing";
import { beforeAll, describe, expect, it } from "vitest";
import { aJob, ended, project, publishEvent, startTracking, type TestTracking } from "./test-service.ts";

type ArtifactClient = ReturnType<typeof rpcClient<typeof tracking.ArtifactService>>;

let service: TestTracking;
let user: ArtifactClient;
let stranger: ArtifactClient;
let requests = 0;
const requestId = () => `request-${++requests}`;

beforeAll(async () => {
  service = await startTracking();
  const gateway = await testSigner("gateway");
  const as = (where: string) =>
    rpcClient(tracking.ArtifactService, service.app.server.url, {
      timeoutMs: 20_000,
      token: () =>
        gateway.sign({ name: "ada", kind: "user", roles: ["submitter"], project: where } as const, 60_000),
    });
  user = as(project);
  stranger = as("other");
});

async function aRun(): Promise<string> {
  const job = aJob();
  await publishEvent(service.bus, scheduler.JobSubmittedSchema, job, { job });
  await publishEvent(service.bus, scheduler.JobEndedSchema, job, { job: ended(job) });
  return job.runId;
}

async function put(runId: string, path: string, text: string) {
  const { digest, sizeBytes } = await service.blobs.put(Buffer.from(text));
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

const holders = (digest: string) => service.blobs.pins(digest);

describe("an artifact of an outside client", () => {
  it("is recorded in a run that has ended, found by its path, and holds its bytes", async () => {
    const runId = await aRun();
    const digest = await put(runId, "reports/a.txt", "hello");
    const { artifact } = await user.getArtifact({ runId, path: "reports/a.txt" });
    expect(artifact).toMatchObject({ path: "reports/a.txt", digest, sizeBytes: 5n });
    expect(await holders(digest)).toEqual([`run:${runId}`]);
  });

  it("that is put again under its path gives the first one's bytes up", async () => {
    const runId = await aRun();
    const first = await put(runId, "a.txt", `first of ${runId}`);
    const second = await put(runId, "a.txt", `second of ${runId}`);
    expect([await holders(first), await holders(second)]).toEqual([[], [`run:${runId}`]]);
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

  it("is nobody's of another project", async () => {
    const runId = await aRun();
    const digest = await put(runId, "a.txt", "x");
    expect(await reason(stranger.getArtifact({ runId, path: "a.txt" }))).toBe("RUN_NOT_FOUND");
    const theirs = { requestId: requestId(), runId, path: "b.txt", digest, sizeBytes: 1n };
    expect(await reason(stranger.putArtifact(theirs))).toBe("RUN_NOT_FOUND");
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
    expect(await Promise.all(digests.map(holders))).toEqual([[], [], [`run:${runId}`]]);
    expect((await user.listArtifactTree({ runId })).entries.map(({ path }) => path)).toEqual(["ab"]);
  });
});
