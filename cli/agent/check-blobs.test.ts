import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { openBlobStore } from "@trainyard/blob";
import { expect, it, onTestFinished } from "vitest";
import { checkBlobs } from "./check-blobs.ts";

it("passes where the platform's blob can be read, and refuses a folder that is missing or another, making none", async () => {
  const dir = mkdtempSync(join(tmpdir(), "check-blobs-"));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  const urlOf = (name: string) => pathToFileURL(join(dir, name)).href;
  const { digest } = await openBlobStore(urlOf("platforms")).put(Buffer.from("probe"));
  await checkBlobs(urlOf("platforms"), digest);
  mkdirSync(join(dir, "another"));
  for (const name of ["another", "missing"]) {
    await expect(checkBlobs(urlOf(name), digest)).rejects.toMatchObject({
      reason: "BLOB_STORE_UNSEEN",
      message: expect.stringContaining(`the folder ${join(dir, name)}, which this machine does not see`),
    });
  }
  expect(existsSync(join(dir, "missing"))).toBe(false);
});
