/** Bytes from `begin` up to and without `end`. */
export interface OffsetRange {
  readonly begin: number;
  readonly end: number;
}

/** Which parts of a file are stored: ascending, not empty, neither overlapping nor touching. */
export type OffsetRanges = readonly OffsetRange[];

/** The ranges with one more; what overlaps or touches becomes one. */
export function addRange(ranges: OffsetRanges, added: OffsetRange): OffsetRanges {
  if (added.end <= added.begin) return ranges;
  const before = ranges.filter((range) => range.end < added.begin);
  const after = ranges.filter((range) => range.begin > added.end);
  const joined = ranges.slice(before.length, ranges.length - after.length);
  const begin = Math.min(added.begin, joined[0]?.begin ?? added.begin);
  const end = Math.max(added.end, joined.at(-1)?.end ?? added.end);
  return [...before, { begin, end }, ...after];
}

/** The parts of `range` that are not stored yet, ascending. */
export function missingIn(ranges: OffsetRanges, range: OffsetRange): OffsetRanges {
  const missing: OffsetRange[] = [];
  let from = range.begin;
  for (const { begin, end } of ranges) {
    if (end <= from) continue;
    if (begin >= range.end) break;
    if (begin > from) missing.push({ begin: from, end: begin });
    from = end;
  }
  if (from < range.end) missing.push({ begin: from, end: range.end });
  return missing;
}

/** What `ranges` has and `known` has not: what was stored since. */
export function newSince(known: OffsetRanges, ranges: OffsetRanges): OffsetRanges {
  return ranges.flatMap((range) => missingIn(known, range));
}

/** Up to where everything from the file's beginning is stored. */
export function contiguousEnd(ranges: OffsetRanges): number {
  const first = ranges[0];
  return first === undefined || first.begin > 0 ? 0 : first.end;
}
