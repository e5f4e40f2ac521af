import { isDomainError } from "@trainyard/domain";

/** One wrong field of a submission: a dotted path and what was expected there. */
export interface Violation {
  readonly field: string;
  readonly description: string;
}

/** What a check of the domain lib complains of, as a list to be collected; empty when it passes. */
export function violationsOf(check: () => void): readonly Violation[] {
  try {
    check();
    return [];
  } catch (error) {
    if (!isDomainError(error)) throw error;
    return error.violations.length > 0 ? error.violations : [{ field: "spec", description: error.message }];
  }
}

/** A list of one violation when the condition does not hold. */
export function expectThat(holds: boolean, field: string, description: string): readonly Violation[] {
  return holds ? [] : [{ field, description }];
}

/** Checks a whole number against its limits. */
export function expectInteger(field: string, value: number, min: number, max: number): readonly Violation[] {
  const holds = Number.isSafeInteger(value) && value >= min && value <= max;
  return expectThat(holds, field, `expected a whole number from ${min} to ${max}, got ${value}`);
}

const DIGEST = /^[0-9a-f]{64}$/;

/** Checks a SHA-256 in hexadecimal. */
export function expectDigest(field: string, value: string): readonly Violation[] {
  return expectThat(
    DIGEST.test(value),
    field,
    `expected a SHA-256 as 64 lower-case hexadecimal digits, got ${JSON.stringify(value.slice(0, 80))}`,
  );
}

/** Checks text that ends up in argv or an environment: bounded, and without NUL. */
export function expectText(field: string, value: string, maxBytes: number): readonly Violation[] {
  const bytes = new TextEncoder().encode(value).byteLength;
  return [
    ...expectThat(bytes <= maxBytes, field, `expected at most ${maxBytes} bytes, got ${bytes}`),
    ...expectThat(!value.includes("\0"), field, "expected no NUL character"),
  ];
}
