/**
 * The address of the bundle that was made of an entry point ("services/tracking/start.ts"), if there is one and none of
 * the sources that went into it has changed since, by time of change and size; otherwise undefined, and the sources run
 * as they are. Never throws. `root` is this checkout's unless given.
 */
export function bundleOf(entry: string, root?: string): string | undefined;

/** What a bundle was made of: path below the root, time of change in milliseconds, size in bytes. */
export type Source = readonly [path: string, mtimeMs: number, size: number];

/** What `tools/bundle` writes beside the bundles it has made. */
export interface Manifest {
  /** Files in this folder by entry point. */
  readonly entries: Readonly<Record<string, string>>;
  readonly sources: readonly Source[];
}

/** Where bundles are. Two folders below the root, as every source is that asks where the root is. */
export const bundleFolder: string;
