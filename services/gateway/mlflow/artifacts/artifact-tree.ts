import type { Json } from "../http/endpoint.ts";

/** A file's path and size. */
export interface TreeFile {
  readonly path: string;
  readonly sizeBytes: number;
}

/** What is directly in a folder, by name; `pathOf` says how each name is shown. */
export function listed(
  files: readonly TreeFile[],
  folder: string,
  pathOf: (name: string) => string,
): readonly Json[] {
  const prefix = folder === "" ? "" : `${folder}/`;
  const entries = new Map<string, Json>();
  for (const { path, sizeBytes } of files) {
    if (!path.startsWith(prefix)) continue;
    const [name = "", ...rest] = path.slice(prefix.length).split("/");
    entries.set(name, entryJson(pathOf(name), rest.length > 0, sizeBytes));
  }
  return [...entries].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, entry]) => entry);
}

/** A file or folder as MLflow's clients read it. */
export function entryJson(path: string, isFolder: boolean, sizeBytes: number): Json {
  // MLflow leaves out the size of an empty file, as it does a folder's.
  return { path, is_dir: isFolder, ...(isFolder || sizeBytes === 0 ? {} : { file_size: sizeBytes }) };
}
