import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

/** The root of this checkout. */
export const checkout = resolve(dirname(fileURLToPath(import.meta.url)), "../..");

/** A path inside the checkout. */
export const inCheckout = (...parts) => join(checkout, ...parts);

const stampFile = (step) => inCheckout(".cache/setup", step);

/** One hash over texts: what a step's result was made from. */
export function hashOf(inputs) {
  const hash = createHash("sha256");
  for (const input of inputs) hash.update(`${Buffer.byteLength(input)}:`).update(input);
  return hash.digest("hex");
}

/** A file's text for hashing; a missing file differs from an empty one. */
export function fileText(...parts) {
  try {
    return readFileSync(inCheckout(...parts), "utf8");
  } catch {
    return "(missing)";
  }
}

/** True when the step was completed with these inputs and what it made is still there. */
export function isDone(step, inputs, outputs) {
  const file = stampFile(step);
  return (
    existsSync(file) &&
    readFileSync(file, "utf8") === hashOf(inputs) &&
    outputs.every((path) => existsSync(path))
  );
}

/** Taken away before a step starts, so that a step cut off half way is not taken for done. */
export function markUndone(step) {
  rmSync(stampFile(step), { force: true });
}

/** Written whole, after everything the step does. */
export function markDone(step, inputs) {
  const file = stampFile(step);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(`${file}.tmp`, hashOf(inputs));
  renameSync(`${file}.tmp`, file);
}
