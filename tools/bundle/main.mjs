// Bundles what the services and the command run: `node tools/bundle/main.mjs`, a step of set-up. A service that loads some
// files in place of 1,200 modules is up in half the time (ADR 0023). It is used as long as no source has changed since.
import {
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join, relative } from "node:path";
import { rolldown } from "rolldown";
import { bundleFolder } from "../../libs/bundle/bundle-of.mjs";
import { checkout, inCheckout } from "../setup/stamps.mjs";

const names = ["dataset", "evaluation", "gateway", "registry", "scheduler", "tracking", "worker-agent"];
const entries = Object.fromEntries([
  ["cli", "cli/start.ts"],
  ...names.map((name) => [`services-${name}`, `services/${name}/start.ts`]),
]);
/** Processes of an older bundle may still load parts of it. */
const KEPT_MS = 7 * 24 * 3_600_000;

const begun = Date.now();
/** Made here and moved: a name says what is in a file, and one that is there may just be read. */
const fresh = `${bundleFolder}.new`;
rmSync(fresh, { recursive: true, force: true });
const bundle = await rolldown({
  cwd: checkout,
  input: entries,
  platform: "node",
  // Native: it finds its library beside itself.
  external: [/^@duckdb\//],
  onLog: () => undefined,
});
const { output } = await bundle.write({
  dir: fresh,
  format: "esm",
  entryFileNames: "[name]-[hash].js",
  chunkFileNames: "[name]-[hash].js",
  sourcemap: true,
});
await bundle.close();

const chunks = output.filter(({ type }) => type === "chunk");
const ownSources = chunks
  .flatMap(({ moduleIds }) => moduleIds)
  .filter((id) => id.startsWith(checkout) && !id.includes("/node_modules/"))
  .map((id) => relative(checkout, id));
// The libraries are those of the lock file.
const sources = ["package-lock.json", ...new Set(ownSources)].map((path) => {
  const { mtimeMs, size } = statSync(inCheckout(path));
  // What is dated in the future was not changed just now: a clock was wrong.
  if (mtimeMs >= begun && mtimeMs <= Date.now())
    throw new Error(`${path} was changed while it was bundled: start again`);
  return [path, mtimeMs, size];
});
const made = chunks.filter(({ isEntry }) => isEntry).map(({ name, fileName }) => [entries[name], fileName]);
mkdirSync(bundleFolder, { recursive: true });
for (const { fileName } of output) {
  const file = join(bundleFolder, fileName);
  if (existsSync(file)) utimesSync(file, new Date(), new Date());
  else renameSync(join(fresh, fileName), file);
}
rmSync(fresh, { recursive: true });
const manifest = join(bundleFolder, "manifest.json");
writeFileSync(`${manifest}.tmp`, JSON.stringify({ entries: Object.fromEntries(made), sources }));
renameSync(`${manifest}.tmp`, manifest);
const current = new Set(["manifest.json", ...output.map(({ fileName }) => fileName)]);
for (const name of readdirSync(bundleFolder)) {
  const file = join(bundleFolder, name);
  if (!current.has(name) && begun - statSync(file).mtimeMs > KEPT_MS) rmSync(file);
}
process.stdout.write(`${sources.length} sources in ${chunks.length} files\n`);
