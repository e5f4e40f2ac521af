import { type Timestamp, timestampDate, timestampFromDate } from "@bufbuild/protobuf/wkt";

/** A date of the wire; undefined stays. */
export function dateOf(timestamp: Timestamp | undefined): Date | undefined {
  return timestamp === undefined ? undefined : timestampDate(timestamp);
}

/** A field of the wire with this date, or nothing: absent and undefined differ there. */
export function timeField<K extends string>(name: K, date: Date | undefined): { [key in K]?: Timestamp } {
  if (date === undefined) return {};
  // An object of one computed key is typed as any string's.
  return { [name]: timestampFromDate(date) } as { [key in K]: Timestamp };
}
