import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { tempDir } from "@trainyard/testing";
import { expect, it } from "vitest";
import { checkDataPaths } from "./data-paths.ts";

const root = tempDir("data-root");
const outside = tempDir("outside");
mkdirSync(join(root, "set"));
writeFileSync(join(root, "set/a.bin"), "a");
mkdirSync(`${root}-beside`);
symlinkSync(outside, join(root, "link"));
symlinkSync(join(root, "set"), join(outside, "in"));

const refusal = (paths: string[], roots = [root]) =>
  checkDataPaths(roots, paths).then(
    () => "",
    (error: unknown) => `${(error as { reason: string }).reason}: ${(error as Error).message}`,
  );

it.each([
  ["a job without host paths, on any node", [], []],
  ["a folder and a file below an allowed folder", [join(root, "set"), join(root, "set/a.bin")], [root]],
  ["an allowed folder itself, and what a link leads into it to", [root, join(outside, "in")], [root]],
  ["every path where the whole disk is allowed", [outside], ["/"]],
])("lets ranks read %s", async (_what, paths, roots) => {
  expect(await refusal(paths, roots)).toBe("");
});

it.each([
  [
    "a node that allows none",
    [join(root, "set")],
    [],
    /this node allows no host paths.*TRAINYARD_DATA_ROOTS/,
  ],
  ["what is elsewhere", [outside], [root], /is in none of the folders that this node allows: /],
  ["a folder whose name only begins alike", [`${root}-beside`], [root], /is in none of the folders/],
  [
    "a link that leads out",
    [join(root, "link")],
    [root],
    /link, which is .*outside.*, is in none of the folders/,
  ],
  ["what is not there", [join(root, "set"), join(root, "no")], [root], /no is not there \(ENOENT\)/],
])("refuses %s, and says why", async (_what, paths, roots, why) => {
  const refused = await refusal(paths, roots);
  expect(refused).toMatch(/^DATA_FETCH_FAILED: /);
  expect(refused).toMatch(why);
});
