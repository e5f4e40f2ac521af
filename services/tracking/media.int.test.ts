import { create } from "@bufbuild/protobuf";
import { ListValueSchema, ValueSchema } from "@bufbuild/protobuf/wkt";
import { tracking } from "@trainyard/contracts";
import { rpcClient } from "@trainyard/service";
import { testSigner } from "@trainyard/testing";
import { beforeAll, describe, expect, it } from "vitest";
import { project, startTracking, type TestTracking } from "./test-service.ts";
import { asUser, type Caller, errorOf, nextRequest, reasonOf } from "./test-users.ts";

type Artifacts = ReturnType<typeof rpcClient<typeof tracking.ArtifactService>>;
type Content = tracking.LogMediaRequest["content"];

const { MediaKind } = tracking;

let service: TestTracking;
let ada: Caller;
let artifacts: Artifacts;
let stranger: Artifacts;

beforeAll(async () => {
  service = await startTracking();
  ada = await asUser(service, "ada");
  const gateway = await testSigner("gateway");
  const as = (where: string, name: string) =>
    rpcClient(tracking.ArtifactService, service.app.server.url, {
      timeoutMs: 60_000,
      token: () =>
        gateway.sign({ name, kind: "user", roles: ["submitter"], project: where } as const, 60_000),
    });
  artifacts = as(project, "ada");
  stranger = as("other", "eve");
});

async function aRun(): Promise<string> {
  const { run } = await ada.runs.createRun({ requestId: nextRequest(), experiment: "media" });
  return run?.id ?? "";
}

const histogram = (counts: readonly number[]): Content => ({
  case: "histogram",
  value: create(tracking.HistogramSchema, {
    edges: [...counts.map((_, n) => n), counts.length],
    counts: counts.map(BigInt),
    notFiniteCount: 2n,
  }),
});

const table = (
  columns: readonly string[],
  rows: readonly (readonly (string | number | null)[])[],
): Content => ({
  case: "table",
  value: create(tracking.TableSchema, {
    columns: [...columns],
    rows: rows.map((row) => create(ListValueSchema, { values: row.map(cell) })),
  }),
});

function cell(value: string | number | null) {
  if (value === null) return create(ValueSchema, { kind: { case: "nullValue", value: 0 } });
  return create(ValueSchema, {
    kind: typeof value === "string" ? { case: "stringValue", value } : { case: "numberValue", value },
  });
}

const gif: Content = {
  case: "image",
  value: Buffer.concat([Buffer.from("GIF89a"), Buffer.from([7, 0, 5, 0])]),
};

const log = (runId: string, key: string, step: number, content: Content, rank = 0) =>
  artifacts.logMedia({ requestId: nextRequest(), runId, key, step: BigInt(step), rank, content });

const shown = (media: readonly tracking.Media[]) =>
  media.map(({ kind, key, step, rank }) => `${MediaKind[kind]} ${key} ${step}.${rank}`);

describe("histograms, images and tables", () => {
  it("are listed by kind, key, step and rank, page by page, and show what was logged", async () => {
    const runId = await aRun();
    await log(runId, "weights/a", 200, histogram([1, 0, 3]));
    await log(runId, "weights/a", 20, histogram([5]));
    await log(runId, "weights", 20, histogram([6]), 3);
    await log(runId, "worst", 20, gif);
    await log(
      runId,
      "confusion",
      20,
      table(
        ["digit", "n"],
        [
          ["one", 1],
          ["two", Number.NaN],
        ],
      ),
    );
    const all = [
      "HISTOGRAM weights 20.3",
      "HISTOGRAM weights/a 20.0",
      "HISTOGRAM weights/a 200.0",
      "IMAGE worst 20.0",
      "TABLE confusion 20.0",
    ];
    const pages: string[] = [];
    for (let pageToken = ""; ; ) {
      const { media, page } = await artifacts.listMedia({ runId, page: { pageSize: 2, pageToken } });
      pages.push(...shown(media));
      pageToken = page?.nextPageToken ?? "";
      if (pageToken === "") break;
    }
    expect(pages).toEqual(all);
    const of = async (asked: object) => shown((await artifacts.listMedia({ runId, ...asked })).media);
    expect(await of({ kind: MediaKind.IMAGE })).toEqual([all[3]]);
    expect(await of({ key: "weights" })).toEqual([all[0]]);
    expect(await of({ key: "weights/a", minStep: 21n })).toEqual([all[2]]);
    expect(await of({ maxStep: 20n, kind: MediaKind.HISTOGRAM })).toEqual([all[0], all[1]]);

    const { media } = await artifacts.listMedia({ runId });
    const previews = await Promise.all(
      media.map(({ artifact }) => artifacts.previewArtifact({ runId, path: artifact?.path ?? "" })),
    );
    expect(previews[2]?.content).toMatchObject({
      case: "histogram",
      value: { counts: [1n, 0n, 3n], notFiniteCount: 2n },
    });
    expect(previews[3]?.content).toMatchObject({
      case: "image",
      value: { format: "gif", width: 7, height: 5 },
    });
    const { content } = previews[4] ?? {};
    const cells =
      content?.case === "table"
        ? content.value.rows.map(({ values }) => values.map(({ kind }) => kind.value))
        : [];
    expect(cells).toEqual([
      ["one", 1],
      ["two", 0],
    ]);
  });

  it("of the same key, step and rank replace each other, and hold their bytes", async () => {
    const runId = await aRun();
    const first = await log(runId, "h", 1, histogram([1]));
    const again = await log(runId, "h", 1, histogram([2]));
    const digest = (answer: typeof first) => answer.media?.artifact?.digest ?? "";
    expect((await artifacts.listMedia({ runId })).media).toHaveLength(1);
    const holders = async (of: string) =>
      (await service.blobs.pins(of)).filter((pin) => pin.startsWith("run:"));
    expect(await holders(digest(again))).toEqual([`run:${project}:${runId}`]);
    expect(await holders(digest(first))).not.toContain(`run:${project}:${runId}`);
  });

  it("are refused with the reason, and to strangers", async () => {
    const runId = await aRun();
    const refused: [() => Promise<unknown>, string][] = [
      [() => log(runId, "k", -1, histogram([1])), "MEDIA_INVALID"],
      [() => log(runId, "", 1, histogram([1])), "MEDIA_INVALID"],
      [() => log(runId, "../k", 1, histogram([1])), "ARTIFACT_PATH_INVALID"],
      [() => log(runId, "k", 1, { case: "image", value: Buffer.from("<svg>") }), "MEDIA_INVALID"],
      [() => log(runId, "k", 1, table(["a", "a"], [])), "MEDIA_INVALID"],
      [() => log(runId, "k", 1, table(["a"], [["x", "y"]])), "MEDIA_INVALID"],
      [() => log(runId, "k", 1, { case: undefined }), "MEDIA_INVALID"],
      [() => stranger.listMedia({ runId }), "RUN_NOT_FOUND"],
      [() => stranger.previewArtifact({ runId, path: "a" }), "RUN_NOT_FOUND"],
      [() => artifacts.previewArtifact({ runId, path: "a" }), "ARTIFACT_NOT_FOUND"],
    ];
    for (const [call, reason] of refused) expect(await reasonOf(call())).toBe(reason);
  });

  it.each<[string, () => Content]>([
    ["MAX_HISTOGRAM_BINS", () => histogram(Array.from({ length: 1_025 }, () => 1))],
    [
      "MAX_TABLE_COLUMNS",
      () =>
        table(
          Array.from({ length: 101 }, (_, n) => `c${n}`),
          [],
        ),
    ],
    [
      "MAX_TABLE_ROWS",
      () =>
        table(
          ["a"],
          Array.from({ length: 10_001 }, () => [1]),
        ),
    ],
    ["MAX_MEDIA_BYTES", () => ({ case: "image", value: new Uint8Array(2 * 1024 ** 2 + 1) })],
  ])("have a limit by the name of %s", async (limit, content) => {
    const error = await errorOf(log(await aRun(), "k", 1, content()));
    expect([error.reason, error.metadata.limit]).toEqual(["LIMIT_EXCEEDED", limit]);
  });
});

describe("a preview of a file", () => {
  async function put(runId: string, path: string, bytes: Uint8Array): Promise<string> {
    const pin = { holder: `upload:${project}:ada`, ttlMs: 86_400_000 };
    const { digest, sizeBytes } = await service.blobs.put(bytes, { pin });
    await artifacts.putArtifact({
      requestId: nextRequest(),
      runId,
      path,
      digest,
      sizeBytes: BigInt(sizeBytes),
    });
    return digest;
  }

  it("of a large one shows its beginning", async () => {
    const runId = await aRun();
    await put(runId, "a.csv", Buffer.from(`n\n${"12345678\n".repeat(300_000)}`));
    const { content, truncated } = await artifacts.previewArtifact({ runId, path: "a.csv" });
    expect([content.case, truncated]).toEqual(["table", true]);
  });

  it("that is damaged says so instead of showing it", async () => {
    const runId = await aRun();
    const digest = await put(runId, "a.txt", Buffer.from("as it was"));
    const { writeFile } = await import("node:fs/promises");
    const folder = new URL(service.config.blobUrl).pathname;
    await writeFile(`${folder}/sha256/${digest.slice(0, 2)}/${digest.slice(2, 4)}/${digest}`, "as it wax");
    expect(await reasonOf(artifacts.previewArtifact({ runId, path: "a.txt" }))).toBe("BLOB_CORRUPT");
  });
});
