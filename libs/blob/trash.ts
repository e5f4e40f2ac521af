import { randomUUID } from "node:crypto";
import { readdir, rename, unlink } from "node:fs/promises";
import { join } from "node:path";
import { crashPoint } from "@trainyard/failpoint";
import { hasCode } from "./errors.ts";

const ENTRY = /^([0-9a-f]{64})\.[0-9a-f-]{36}$/;

/**
 * Deleting a blob so that no pin comes too late: it is renamed to `trash/<digest>.<id of this deletion>`, then pins are
 * looked for, and it is renamed back or removed for good. Who pins and then does not find the blob looks here and takes
 * it back. Every rename either happens or not, so of two that want the file one has it.
 */
export class Trash {
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
  }

  /** Removes the file unless `holders` names somebody once it is out of the way. Gives whom, or nobody. */
  async delete(
    digest: string,
    path: string,
    holders: () => Promise<readonly string[]>,
  ): Promise<readonly string[]> {
    const trashed = join(this.#root, `${digest}.${randomUUID()}`);
    if (!(await did(rename(path, trashed)))) return [];
    crashPoint("blob.delete.marked");
    const held = await holders();
    if (held.length > 0) {
      await did(rename(trashed, path));
      return held;
    }
    await did(unlink(trashed));
    crashPoint("blob.delete.deleted");
    return [];
  }

  /** Takes a blob back, if it is here. */
  async restore(digest: string, path: string): Promise<boolean> {
    for (const name of await readdir(this.#root)) {
      if (name.startsWith(`${digest}.`) && (await did(rename(join(this.#root, name), path)))) return true;
    }
    return false;
  }

  /** Ends what deletions that died have begun. */
  async tidy(
    holders: (digest: string) => Promise<readonly string[]>,
    pathOf: (digest: string) => string,
  ): Promise<void> {
    for (const name of await readdir(this.#root)) {
      const digest = ENTRY.exec(name)?.[1];
      if (digest === undefined) continue;
      const path = join(this.#root, name);
      await did((await holders(digest)).length > 0 ? rename(path, pathOf(digest)) : unlink(path));
    }
  }
}

/** Whether the file was there to do it with. */
async function did(change: Promise<void>): Promise<boolean> {
  try {
    await change;
    return true;
  } catch (error) {
    if (hasCode(error, "ENOENT")) return false;
    throw error;
  }
}
