import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { LineAssembler, MAX_LINE_BYTES } from "./line-assembler.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

/** Pushes the bytes cut at these places. */
function assemble(all: Uint8Array, cuts: readonly number[]) {
  const assembler = new LineAssembler();
  const places = [...new Set([0, ...cuts.map((cut) => cut % (all.length + 1)), all.length])].sort(
    (a, b) => a - b,
  );
  const lines = places
    .slice(1)
    .flatMap((end, index) => assembler.push(all.subarray(places[index] ?? 0, end)));
  return [...lines, ...assembler.flush()];
}

describe("lines of output", () => {
  it("come out whole wherever the bytes were cut", () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: "grapheme" })), fc.array(fc.nat()), (texts, cuts) => {
        const expected = texts.map((text) => text.replaceAll(/[\r\n]/g, " "));
        const all = bytes(expected.map((text) => `${text}\n`).join(""));
        const lines = assemble(all, cuts);
        expect(lines.map(({ text }) => text)).toEqual(expected);
        for (const { offset, text } of lines) {
          expect(all.subarray(offset, offset + bytes(text).length)).toEqual(bytes(text));
        }
      }),
    );
  });

  it("keep a character whole that was cut between two batches", () => {
    const all = bytes("größe 🚂\n");
    for (let cut = 0; cut <= all.length; cut++)
      expect(assemble(all, [cut])).toEqual([{ offset: 0, text: "größe 🚂" }]);
  });

  it("show invalid bytes as replacement characters", () => {
    expect(assemble(new Uint8Array([0x61, 0xff, 0x62, 0x0a]), [])).toEqual([{ offset: 0, text: "a\ufffdb" }]);
  });

  it("lose the carriage return before a newline and no other", () => {
    expect(assemble(bytes("10%\r20%\r\nend\r\n"), []).map(({ text }) => text)).toEqual(["10%\r20%", "end"]);
  });

  it("give the last line without a newline only when told that nothing follows", () => {
    const assembler = new LineAssembler();
    expect(assembler.push(bytes("a\nb"))).toEqual([{ offset: 0, text: "a" }]);
    expect(assembler.flush()).toEqual([{ offset: 2, text: "b" }]);
    expect(assembler.flush()).toEqual([]);
  });

  it("go on after bytes that never come", () => {
    const assembler = new LineAssembler();
    assembler.push(bytes("half"));
    expect(assembler.skipTo(100)).toEqual([{ offset: 0, text: "half" }]);
    expect(assembler.push(bytes("x\n"))).toEqual([{ offset: 100, text: "x" }]);
  });

  it("give output without newlines in pieces of at most MAX_LINE_BYTES that cut no character", () => {
    const text = `a${"ö".repeat(MAX_LINE_BYTES)}`;
    const lines = assemble(bytes(text), [5, 70_000]);
    expect(lines.length).toBeGreaterThan(1);
    expect(lines.map((line) => line.text).join("")).toBe(text);
    for (const line of lines) expect(bytes(line.text).length).toBeLessThanOrEqual(MAX_LINE_BYTES);
  });
});
