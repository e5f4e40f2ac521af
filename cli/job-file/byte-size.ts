import { z } from "zod";

const units: Readonly<Record<string, number>> = {
  "": 1,
  B: 1,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
  TiB: 1024 ** 4,
};

/** "8GiB", "500 MB" or a plain number of bytes as a number of bytes; `undefined` for anything else. */
export function bytesOf(text: string | number): number | undefined {
  const match = /^(\d+(?:\.\d+)?) ?([KMGT]i?B|B)?$/.exec(String(text));
  const unit = units[match?.[2] ?? ""];
  if (match === null || unit === undefined) return undefined;
  const bytes = Math.round(Number(match[1]) * unit);
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** A field of a file that holds a size. */
export function byteSizeField() {
  return z.union([z.string(), z.number()]).refine((text) => bytesOf(text) !== undefined, {
    message: "expected a size such as 8GiB, 500MB or a whole number of bytes",
  });
}
