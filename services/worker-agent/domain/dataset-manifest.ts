/** Most shards of a dataset version. */
export const MAX_SHARDS = 100_000;

/** The blobs of a dataset version's shards, each once. Throws a plain error when the manifest is not one. */
export function shardDigests(manifest: unknown): readonly string[] {
  const digests = new Set(shardsOf(manifest).map(({ shard }) => digestOf(shard)));
  return [...digests];
}

/**
 * The manifest as ranks read it: the dataset service's, with each shard's absolute path on this node added. What else is
 * in it (features, rows, names) is handed on as it is.
 */
export function localManifest(
  manifest: unknown,
  pathOf: (digest: string) => string,
): Record<string, unknown> {
  const placed = shardsOf(manifest).map(({ split, shard }) => ({
    split,
    shard: { ...shard, path: pathOf(digestOf(shard)) },
  }));
  const splits = Object.entries(splitsOf(manifest)).map(([name, split]) => {
    const shards = placed.filter((entry) => entry.split === name).map((entry) => entry.shard);
    return [name, { ...split, shards }];
  });
  return { ...asObject("the manifest", manifest), splits: Object.fromEntries(splits) };
}

type Json = Readonly<Record<string, unknown>>;

function shardsOf(manifest: unknown): { readonly split: string; readonly shard: Json }[] {
  const found = Object.entries(splitsOf(manifest)).flatMap(([split, value]) => {
    if (!Array.isArray(value.shards))
      throw new Error(`the dataset manifest has no list splits.${split}.shards`);
    return value.shards.map((shard: unknown) => ({ split, shard: asObject(`a shard of ${split}`, shard) }));
  });
  if (found.length > MAX_SHARDS) throw new Error(`the dataset manifest lists more than ${MAX_SHARDS} shards`);
  return found;
}

function splitsOf(manifest: unknown): Record<string, Json> {
  const splits = asObject("splits", asObject("the manifest", manifest).splits);
  return Object.fromEntries(Object.entries(splits).map(([name, split]) => [name, asObject(name, split)]));
}

function digestOf(shard: Json): string {
  const { digest } = shard;
  if (typeof digest === "string" && /^[0-9a-f]{64}$/.test(digest)) return digest;
  throw new Error("a shard in the dataset manifest has no SHA-256 digest");
}

function asObject(what: string, value: unknown): Json {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Json; // Checked just here.
  throw new Error(`the dataset manifest is malformed: ${what} is no object`);
}
