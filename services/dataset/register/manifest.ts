import type { Column, Split } from "../domain/dataset-version.ts";

/** What the nodes and the Python SDK read of a version. Its fields are a contract: add, never change. */
export function manifestBytes(version: {
  readonly name: string;
  readonly version: string;
  readonly schemaHash: string;
  readonly target: string;
  readonly columns: readonly Column[];
  readonly splits: readonly Split[];
}): Uint8Array {
  const { name, schemaHash, target, columns, splits } = version;
  const manifest = {
    name,
    version: version.version,
    schemaHash,
    target,
    columns: columns.map(({ name, type, nullable }) => ({ name, type, nullable })),
    splits: Object.fromEntries(
      splits.map(({ name, rows, shards }) => [
        name,
        { rows, shards: shards.map(({ digest, rows, sizeBytes }) => ({ digest, rows, sizeBytes })) },
      ]),
    ),
  };
  return new TextEncoder().encode(`${JSON.stringify(manifest, undefined, 1)}\n`);
}
