import { createHash } from "node:crypto";
import { MAX_NAME_LENGTH } from "@trainyard/domain";

/**
 * The name that a model of MLflow gets here, where names have no blanks and few other characters. One that has to be changed
 * carries a piece of its digest, so that no two models become one.
 */
export function modelNameOf(name: string): string {
  const plain = name
    .replace(/[^a-zA-Z0-9._-]+/g, "-")
    .replace(/^[^a-zA-Z0-9_]+/, "")
    .slice(0, MAX_NAME_LENGTH);
  if (plain === name) return name;
  const digest = createHash("sha256").update(name).digest("hex").slice(0, 6);
  return `${plain.slice(0, MAX_NAME_LENGTH - 7)}-${digest}`.replace(/^-/, "");
}
