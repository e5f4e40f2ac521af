import { mkdtemp, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { lastSignOfLife } from "./last-sign-of-life.ts";

it("is when the newest of a rank's files was written, and unknown without any", async () => {
  const dir = await mkdtemp(join(tmpdir(), "sign-of-life-"));
  onTestFinished(() => rm(dir, { recursive: true }));
  expect(await lastSignOfLife(dir)).toBeUndefined();
  expect(await lastSignOfLife(join(dir, "missing"))).toBeUndefined();
  for (const [name, seconds] of Object.entries({
    "started.json": 1_000,
    "records.bin": 3_000,
    "stdout.log": 2_000,
  })) {
    await writeFile(join(dir, name), "x");
    await utimes(join(dir, name), seconds, seconds);
  }
  expect(await lastSignOfLife(dir)).toBe(3_000_000);
});
