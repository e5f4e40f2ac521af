import { createHash } from "node:crypto";
import type { StoredFile } from "./model-version.ts";

/** SHA-256 over the sorted list of (path, digest): equal for equal content. */
export function filesDigest(files: readonly StoredFile[]): string {
  const hash = createHash("sha256");
  for (const { path, digest } of files.toSorted((a, b) => (a.path < b.path ? -1 : 1)))
    hash.update(`${path}\0${digest}\n`);
  return hash.digest("hex");
}
