/** The first numbers of a column, little-endian as this process has them: a view, no copy. */
export function doubleBytes(column: Float64Array, count: number): Uint8Array {
  return new Uint8Array(column.buffer, column.byteOffset, count * 8);
}

/** The first steps, which are whole and safe, as little-endian int64. */
export function stepBytes(steps: Float64Array, count: number): Uint8Array {
  const halves = new Uint32Array(count * 2);
  for (let index = 0; index < count; index++) {
    const step = steps[index] ?? 0;
    // Of a negative one this is its two's complement, since both are rounded down.
    const high = Math.floor(step / 2 ** 32);
    halves[index * 2] = step - high * 2 ** 32;
    halves[index * 2 + 1] = high;
  }
  return new Uint8Array(halves.buffer);
}
