import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { describe, expect, it } from "vitest";
import { contentTypeOf, dispositionOf } from "./content-type.ts";
import { tarOf } from "./tar-of.ts";

describe("a file's content type", () => {
  it.each([
    ["plot.png", "image/png", true],
    ["a/LOSS.JPG", "image/jpeg", true],
    ["notes.md", "text/plain; charset=utf-8", true],
    ["page.html", "application/octet-stream", false],
    ["drawing.svg", "application/octet-stream", false],
    ["page.xhtml", "application/octet-stream", false],
    ["page.png.html", "application/octet-stream", false],
    ["script.js", "application/octet-stream", false],
    ["doc.pdf", "application/octet-stream", false],
    ["png", "application/octet-stream", false],
  ])("of %j is %j", (path, type, inline) => {
    expect(contentTypeOf(path)).toEqual({ type, inline });
  });

  it("comes with a name that ends no header", () => {
    const disposition = dispositionOf('a/x"\r\nset-cookie: é.txt', false);
    expect(disposition).not.toMatch(/[\r\n]/);
    expect(disposition).toBe(
      "attachment; filename=\"x___set-cookie___.txt\"; filename*=UTF-8''x%22%0D%0Aset-cookie%3A%20%C3%A9.txt",
    );
  });
});

describe("an archive", () => {
  const contents: Readonly<Record<string, string>> = { a: "x".repeat(512), b: "", c: "hello" };
  const blobs = { open: async (digest: string) => Readable.from([Buffer.from(contents[digest] ?? "")]) };
  const file = (path: string, digest: string, sizeBytes = BigInt(contents[digest]?.length ?? 0)) => ({
    path,
    digest,
    sizeBytes,
  });

  it("is unpacked by tar to what it was made of, long and odd names too", async () => {
    const long = `${"folder/".repeat(60)}file`;
    const files = [file("a", "a"), file("-rf é\u{1F600}/b", "b"), file(long, "c"), file("@x", "c")];
    const folder = mkdtempSync(join(tmpdir(), "trainyard-tar-"));
    try {
      execFileSync("tar", ["-x", "-C", folder], { input: await buffer(Readable.from(tarOf(blobs, files))) });
      for (const { path, digest } of files) {
        expect(readFileSync(join(folder, path), "utf8")).toBe(contents[digest]);
      }
      expect(readdirSync(folder).sort()).toEqual(["-rf é\u{1F600}", "@x", "a", "folder"].sort());
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it.each(["../a", "/etc/passwd", "a/../../b", "a\\b", "a/./b", "a\nb"])(
    "refuses the name %j",
    async (path) => {
      await expect(buffer(Readable.from(tarOf(blobs, [file(path, "a")])))).rejects.toMatchObject({
        reason: "ARTIFACT_PATH_INVALID",
      });
    },
  );

  it("is cut off by a file of another size than is recorded", async () => {
    await expect(buffer(Readable.from(tarOf(blobs, [file("c", "c", 6n)])))).rejects.toThrow("6 are recorded");
  });
});
