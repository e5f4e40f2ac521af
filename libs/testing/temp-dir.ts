import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { atFileEnd } from "./cleanup.ts";

/** A fresh folder, removed when the test file ends. */
export function tempDir(purpose = "test"): string {
  const path = mkdtempSync(join(tmpdir(), `trainyard-${purpose}-`));
  atFileEnd(() => rmSync(path, { recursive: true, force: true, maxRetries: 3 }));
  return path;
}
