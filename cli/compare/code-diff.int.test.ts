import { execFileSync } from "node:child_process";
import { createReadStream, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { tempDir } from "@trainyard/testing";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { packCode } from "../pack/pack-code.ts";
import { diffCode } from "./code-diff.ts";
import { codeFilesOf } from "./code-files.ts";
import { changeText, codeSummary } from "./compare-text.ts";

function folder(files: Readonly<Record<string, string | Buffer>>): string {
  const root = tempDir("code-diff");
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), content);
  }
  return root;
}

async function filesOf(root: string) {
  const bundle = await packCode(root);
  try {
    return await codeFilesOf(createReadStream(bundle.file));
  } finally {
    await bundle.remove();
  }
}

async function patchBetween(before: string, after: string): Promise<string> {
  const changes = diffCode(await filesOf(before), await filesOf(after));
  return changes.map(changeText).join("");
}

describe("the code of two runs", () => {
  it("differs by a patch that git applies, whatever the lines are", async () => {
    const line = fc.constantFrom(
      "a",
      "b",
      "",
      "-- x",
      "+++ y",
      "@@ -1 +1 @@",
      "ü 漢",
      "\\ No newline at end of file",
    );
    const text = fc
      .tuple(fc.array(line, { maxLength: 12 }), fc.boolean())
      .map(([lines, ended]) => lines.join("\n") + (ended && lines.length > 0 ? "\n" : ""));
    await fc.assert(
      fc.asyncProperty(text, text, async (old, now) => {
        const [before, after] = [
          folder({ "d/train.py": old, keep: "" }),
          folder({ "d/train.py": now, keep: "" }),
        ];
        const patch = await patchBetween(before, after);
        expect(patch === "").toBe(old === now);
        if (old === now) return;
        execFileSync("git", ["apply", "-"], { cwd: before, input: patch });
        expect(readFileSync(join(before, "d/train.py"), "utf8")).toBe(now);
        rmSync(after, { recursive: true });
      }),
      { numRuns: 25 },
    );
  });

  it("shows what is new and gone, and names binary and large files without their content", async () => {
    const before = folder({
      "gone.py": "1\n",
      "same.py": "s",
      "data.bin": Buffer.from([0, 1]),
      "big.txt": "",
    });
    const after = folder({
      "new.py": "2\n3\n",
      "same.py": "s",
      "data.bin": Buffer.from([0, 2, 3]),
      "big.txt": "x".repeat(2 * 1024 * 1024),
    });
    symlinkSync("same.py", join(after, "link.py"));
    const changes = diffCode(await filesOf(before), await filesOf(after));
    expect(changes.map(({ path, change }) => [path, change])).toEqual([
      ["big.txt", "changed"],
      ["data.bin", "changed"],
      ["gone.py", "removed"],
      ["link.py", "added"],
      ["new.py", "added"],
    ]);
    const text = changes.map(changeText).join("");
    expect(text).toContain("changed: data.bin (binary, or larger than 1 MiB; 2 B → 3 B)");
    expect(text).toContain("--- /dev/null\n+++ b/new.py\n@@ -0,0 +1,2 @@\n+2\n+3\n");
    expect(text).toContain("+-> same.py");
    expect(text.length).toBeLessThan(1000);
    expect(codeSummary(changes)).toMatch(/^5 files, \+3 −1: big\.txt changed/);
  });

  it("is refused when the bundle is no archive", async () => {
    const bytes = async function* () {
      yield gzipSync(Buffer.from("not a tar".repeat(200)));
    };
    await expect(codeFilesOf(bytes())).rejects.toMatchObject({ reason: "CODE_BUNDLE_INVALID" });
    const junk = async function* () {
      yield Buffer.from("junk");
    };
    await expect(codeFilesOf(junk())).rejects.toMatchObject({ reason: "CODE_BUNDLE_INVALID" });
  });
});
