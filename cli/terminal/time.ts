import type { Timestamp } from "@bufbuild/protobuf/wkt";

/** How moments are shown. */
export interface TimeStyle {
  /** In UTC and not in the machine's zone. */
  readonly utc: boolean;
  /** For people: the date is left out when it is today's. Else RFC 3339. */
  readonly human: boolean;
  readonly now: Date;
}

/** Milliseconds since 1970 of a protobuf timestamp. */
export function timestampMs(at: Timestamp): number {
  return Number(at.seconds) * 1000 + Math.floor(at.nanos / 1_000_000);
}

/** A moment in the local zone (UTC if told); "" when there is none. */
export function formatTime(at: Timestamp | Date | undefined, options: TimeStyle): string {
  if (at === undefined) return "";
  const date = at instanceof Date ? at : new Date(timestampMs(at));
  if (!options.human) return date.toISOString();
  const [day, time] = parts(date, options.utc);
  const [today] = parts(options.now, options.utc);
  const text = day === today ? time : `${day} ${time}`;
  return options.utc ? `${text}Z` : text;
}

function parts(date: Date, utc: boolean): readonly [string, string] {
  const two = (n: number) => String(n).padStart(2, "0");
  return utc
    ? [date.toISOString().slice(0, 10), date.toISOString().slice(11, 19)]
    : [
        `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`,
        `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`,
      ];
}
