import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { createWriteStream, writeFileSync } from "node:fs";
import { join } from "node:path";
import { tempDir } from "@trainyard/testing";
import { expect, it } from "vitest";
import { UnusableFileError } from "./open-inside.ts";
import { openPipe } from "./open-pipe.ts";

function aPipe(sizeBytes: number) {
  const folder = tempDir("pipe");
  const path = join(folder, "model.pt");
  execFileSync("mkfifo", [path]);
  const rank = { ended: false };
  const served = {
    folder,
    path: "model.pt",
    sizeBytes,
    ended: () => rank.ended,
    signal: AbortSignal.timeout(120_000),
  };
  return { path, rank, served };
}

it("gives as many bytes as its rank said, whatever comes behind them", async () => {
  const { path, served } = aPipe(300_000);
  const pipe = await openPipe(served);
  const buffer = Buffer.alloc(300_000);
  const filled = pipe.fill(buffer);
  const writer = createWriteStream(path);
  writer.on("error", () => undefined);
  writer.write(Buffer.alloc(300_000, "a"));
  writer.write(Buffer.alloc(300_000, "b"));
  await filled;
  await pipe.close();
  expect(buffer.equals(Buffer.alloc(300_000, "a"))).toBe(true);
  writer.destroy();
});

it("says that its rank is gone when bytes are missing, or when it never wrote any", async () => {
  const cut = aPipe(300_000);
  const pipe = await openPipe(cut.served);
  const filled = pipe.fill(Buffer.alloc(300_000));
  const writer = createWriteStream(cut.path);
  writer.end(Buffer.alloc(1_000));
  await once(writer, "close");
  await expect(filled).rejects.toThrow('"model.pt" ended after 1000 of 300000 bytes: its rank is gone');
  await pipe.close();

  const silent = aPipe(10);
  const other = await openPipe(silent.served);
  const waiting = other.fill(Buffer.alloc(10));
  silent.rank.ended = true;
  await expect(waiting).rejects.toThrow("ended after 0 of 10 bytes");
  await other.close();
});

it("is none that is a plain file, or that is not there", async () => {
  const { served } = aPipe(1);
  writeFileSync(join(served.folder, "plain"), "x");
  await expect(openPipe({ ...served, path: "plain" })).rejects.toThrow(
    "is no pipe in the attempt's directory",
  );
  await expect(openPipe({ ...served, path: "../model.pt" })).rejects.toBeInstanceOf(UnusableFileError);
  await expect(openPipe({ ...served, path: "none" })).rejects.toBeInstanceOf(UnusableFileError);
});
