import { mkdirSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { bundleOf, type Manifest } from "@trainyard/bundle";
import { tempDir } from "@trainyard/testing";
import { beforeEach, describe, expect, it } from "vitest";

const ENTRY = "services/tracking/start.ts";
const root = tempDir("bundle");
const manifest = join(root, ".cache/bundle/manifest.json");
const source = join(root, "services/tracking/app.ts");

beforeEach(() => {
  rmSync(root, { recursive: true, force: true });
  mkdirSync(join(root, "services/tracking"), { recursive: true });
  mkdirSync(join(root, ".cache/bundle"), { recursive: true });
  writeFileSync(source, "export const a = 1;");
  const { mtimeMs, size } = statSync(source);
  const made: Manifest = {
    entries: { [ENTRY]: "tracking-abc.js" },
    sources: [["services/tracking/app.ts", mtimeMs, size]],
  };
  writeFileSync(manifest, JSON.stringify(made));
});

describe("a bundle", () => {
  it("is run in place of the sources that it was made of", () => {
    expect(bundleOf(ENTRY, root)).toBe(pathToFileURL(join(root, ".cache/bundle/tracking-abc.js")).href);
  });

  it.each([
    ["was changed", () => writeFileSync(source, "export const a = 22;")],
    ["was saved again at the same size", () => utimesSync(source, new Date(), new Date(Date.now() + 1_000))],
    ["is gone", () => rmSync(source)],
  ])("is not run when a source %s", (_what, change) => {
    change();
    expect(bundleOf(ENTRY, root)).toBeUndefined();
  });

  it.each([
    ["nothing", () => rmSync(manifest)],
    ["half a manifest", () => writeFileSync(manifest, '{"entries":{')],
    ["other entries", () => writeFileSync(manifest, '{"entries":{},"sources":[]}')],
  ])("is not run where there is %s", (_what, change) => {
    change();
    expect(bundleOf(ENTRY, root)).toBeUndefined();
  });
});
