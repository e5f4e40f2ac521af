import { chmodSync, mkdirSync, readFileSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { tempDir } from "@trainyard/testing";
import { list } from "tar";
import { describe, expect, it } from "vitest";
import { listFiles } from "./list-files.ts";
import { packCode } from "./pack-code.ts";

function folderWith(files: Readonly<Record<string, string>>): string {
  const root = tempDir("pack");
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  return root;
}

const pathsOf = async (root: string) => (await listFiles(root)).map(({ path }) => path);

describe("what travels with a job", () => {
  it("leaves out what .gitignore names, at every level, and takes what a deeper one takes back", async () => {
    const root = folderWith({
      ".gitignore": "*.log\n/data/\n",
      "train.py": "",
      "run.log": "",
      "data/big.bin": "",
      "lib/data/kept.py": "",
      "lib/.gitignore": "!important.log\nsecret.txt\n",
      "lib/important.log": "",
      "lib/secret.txt": "",
      "lib/__pycache__/x.pyc": "",
      ".git/config": "",
      ".trainyard/secrets/tokens.json": "",
    });
    expect(await pathsOf(root)).toEqual([
      ".gitignore",
      "lib/.gitignore",
      "lib/data/kept.py",
      "lib/important.log",
      "train.py",
    ]);
  });

  it("respects the .gitignore of the repository around the folder", async () => {
    const repository = folderWith({
      ".gitignore": "*.tmp\n/job/skip/\n",
      ".git/HEAD": "",
      "job/train.py": "",
      "job/a.tmp": "",
      "job/skip/x.py": "",
    });
    expect(await pathsOf(join(repository, "job"))).toEqual(["train.py"]);
  });

  it("keeps a link inside the folder and refuses one that leaves it", async () => {
    const root = folderWith({ "lib/a.py": "" });
    symlinkSync("lib/a.py", join(root, "link.py"));
    expect(await pathsOf(root)).toEqual(["lib/a.py", "link.py"]);
    symlinkSync("../../etc/passwd", join(root, "lib/out"));
    await expect(listFiles(root)).rejects.toMatchObject({ reason: "CODE_LINK_OUTSIDE" });
  });
});

describe("packing", () => {
  it("gives the same bytes for the same files, whenever and by whomever they were written", async () => {
    const files = { "train.py": "print(1)", "ünïcödé/日本.py": "", "@odd": "x", "-dash": "y" };
    const one = folderWith(files);
    const other = folderWith(Object.fromEntries(Object.entries(files).reverse()));
    utimesSync(join(other, "train.py"), new Date(0), new Date(1_000_000_000_000));
    chmodSync(join(other, "train.py"), 0o600);
    const [a, b] = [await packCode(one), await packCode(other)];
    expect(b.digest).toBe(a.digest);
    const names: string[] = [];
    await list({ file: a.file, onReadEntry: ({ path }) => names.push(path) });
    expect(names).toEqual(["./-dash", "./@odd", "./train.py", "./ünïcödé/日本.py"]);
    expect(readFileSync(a.file).length).toBe(a.sizeBytes);
    await Promise.all([a.remove(), b.remove()]);
  });

  it("gives another digest when a file changes", async () => {
    const root = folderWith({ "train.py": "print(1)" });
    const before = await packCode(root);
    writeFileSync(join(root, "train.py"), "print(2)");
    const after = await packCode(root);
    expect(after.digest).not.toBe(before.digest);
    await Promise.all([before.remove(), after.remove()]);
  });

  it("says clearly that a folder is missing or holds nothing", async () => {
    await expect(packCode(join(tempDir("pack"), "none"))).rejects.toMatchObject({
      reason: "CODE_FOLDER_NOT_FOUND",
    });
    await expect(packCode(folderWith({ "__pycache__/a.pyc": "" }))).rejects.toMatchObject({
      reason: "CODE_FOLDER_EMPTY",
    });
  });
});
