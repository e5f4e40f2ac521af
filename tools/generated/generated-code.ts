import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { checkoutRoot } from "../checkout.ts";

/** Where generated code lies, in the checkout and below any folder it is made in. */
export const generatedFolder = "libs/contracts/gen";

/** The event catalogue's place in the checkout. */
export const eventCatalogueFile = "docs/EVENTS.md";

/** Runs `buf generate` on the checkout's protos; the code lands in `<folder>/libs/contracts/gen`. */
export function generateCode(folder: string): void {
  execFileSync("buf", ["generate", "--output", folder], {
    cwd: checkoutRoot,
    stdio: ["ignore", "pipe", "pipe"],
  });
}

/** Paths of the files below a folder, sorted; none when there is no such folder. */
function filesBelow(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort();
}

/** Which files of the committed code differ from the fresh one, with the reason for each. */
export function differences(committed: string, fresh: string): string[] {
  const expected = filesBelow(fresh);
  const actual = filesBelow(committed);
  const missing = expected.filter((path) => !actual.includes(path)).map((path) => `${path}: missing`);
  const left = actual
    .filter((path) => !expected.includes(path))
    .map((path) => `${path}: of no proto any more`);
  const stale = expected
    .filter((path) => actual.includes(path))
    .filter((path) => readFileSync(join(committed, path), "utf8") !== readFileSync(join(fresh, path), "utf8"))
    .map((path) => `${path}: stale`);
  return [...missing, ...left, ...stale];
}
