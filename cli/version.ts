import { readFileSync } from "node:fs";

/** This software's version. */
export function version(): string {
  const text = readFileSync(new URL("./package.json", import.meta.url), "utf8");
  // The checkout's own file.
  return (JSON.parse(text) as { version: string }).version;
}
