import { access, open, rename, rm } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { DomainError } from "@trainyard/domain";

/**
 * Makes a file that is whole or not there: `make` writes another name beside it, which becomes this one when it is done.
 * Throws FILE_EXISTS when there is such a file and `force` is not given.
 */
export async function wholeFile<T>(
  path: string,
  force: boolean,
  make: (draft: string) => Promise<T>,
): Promise<T> {
  const target = resolve(path);
  const isThere = await access(target).then(
    () => true,
    () => false,
  );
  if (isThere && !force)
    throw new DomainError(
      "already_exists",
      "FILE_EXISTS",
      `${target} is there already; give another --output, or --force`,
    );
  const draft = `${target}.${process.pid}.part`;
  try {
    const made = await make(draft);
    await rename(draft, target);
    const folder = await open(dirname(target), "r");
    await folder.sync().finally(() => folder.close());
    return made;
  } finally {
    await rm(draft, { force: true });
  }
}
