const LENGTH_BYTES = 4;

/** Columns as one run of bytes, each with its length before it. */
export function joinColumns(columns: readonly Uint8Array[]): Uint8Array {
  const lengths = columns.map(({ length }) => {
    const bytes = Buffer.alloc(LENGTH_BYTES);
    bytes.writeUInt32LE(length);
    return bytes;
  });
  return Buffer.concat(columns.flatMap((column, index) => [lengths[index] ?? Buffer.alloc(0), column]));
}

/** Gives one column after the other again. Throws RangeError when the bytes end within one. */
export function columnReader(bytes: Uint8Array): () => Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  return () => {
    const begin = at + LENGTH_BYTES;
    at = begin + view.getUint32(at, true);
    if (at > bytes.length) throw new RangeError("a column is cut short");
    return bytes.subarray(begin, at);
  };
}
