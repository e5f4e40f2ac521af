import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { redact, safeLength } from "./redact.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const text = (data: Uint8Array) => new TextDecoder().decode(data);

describe("redaction", () => {
  it.each([
    ["each occurrence, at its length", "a hunter2 b hunter2", ["hunter2"], "a ******* b *******"],
    ["the longer of two of which one holds the other", "hunter2x", ["hunter2", "hunter2x"], "********"],
    ["occurrences that touch", "abcdabcd", ["abcd"], "********"],
    ["nothing shorter than four bytes", "a1b", ["a1b"], "a1b"],
    ["text beyond ASCII by bytes", "key=schlüssel!", ["schlüssel"], "key=**********!"],
  ])("covers %s", (_, given, secrets, expected) => {
    expect(text(redact(bytes(given), secrets.map(bytes)))).toBe(expected);
  });

  it("leaves no secret in what is let go piece by piece, wherever it is cut", () => {
    const letters = fc.string({ unit: fc.constantFrom("a", "b"), minLength: 0, maxLength: 24 });
    const secret = fc.string({ unit: fc.constantFrom("a", "b"), minLength: 4, maxLength: 7 });
    fc.assert(
      fc.property(
        letters,
        letters,
        fc.array(secret, { minLength: 1, maxLength: 3 }),
        (first, second, named) => {
          const secrets = named.map(bytes);
          const safe = safeLength(bytes(first), secrets);
          const shown =
            text(redact(bytes(first.slice(0, safe)), secrets)) +
            text(redact(bytes(first.slice(safe) + second), secrets));
          const whole = text(redact(bytes(first + second), secrets));
          expect(shown).toHaveLength(whole.length);
          for (const one of named) expect(shown).not.toContain(one);
        },
      ),
    );
  });
});
