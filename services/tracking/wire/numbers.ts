import { invalidField } from "../domain/errors.ts";

/** A 64-bit number of the wire as a number. Throws `invalid_argument` outside [min, 2^53 − 1]: beyond, it would be another. */
export function safeNumber(field: string, value: bigint, min = 0): number {
  const number = Number(value);
  if (Number.isSafeInteger(number) && number >= min) return number;
  throw invalidField(
    field,
    `expected a whole number from ${min} to ${Number.MAX_SAFE_INTEGER}, got ${value}`,
  );
}

/** A whole number of the wire. Throws `invalid_argument` outside [min, max]. */
export function boundedNumber(field: string, value: number, min: number, max: number): number {
  if (Number.isInteger(value) && value >= min && value <= max) return value;
  throw invalidField(field, `expected a whole number from ${min} to ${max}, got ${value}`);
}
