import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { journalFloor } from "./journal-floor.ts";

describe("the floor of the journal", () => {
  it("is behind everything that is stored", () => {
    expect(journalFloor([], [], 0)).toBe(1);
    expect(journalFloor([], [], 41)).toBe(42);
  });

  it("keeps what waits, in whatever order it came", () => {
    expect(journalFloor([9, 7, 12], [], 12)).toBe(7);
  });

  it("keeps what was sent and has no number yet, also when later ones have come back before it", () => {
    // Sent when 10 was the newest, it is 11 at least; 12 was sent after it and is stored.
    expect(journalFloor([], [10], 12)).toBe(11);
  });

  it("never passes a message that is neither stored nor given up, whatever order answers come in", () => {
    const steps = fc.array(fc.record({ kind: fc.constantFrom("send", "answer", "store"), at: fc.nat() }));
    fc.assert(
      fc.property(steps, (all) => {
        let [next, newest] = [1, 0];
        const sent: { readonly seq: number; readonly after: number }[] = [];
        const waiting: number[] = [];
        for (const { kind, at } of all) {
          // The server numbers messages as they come; their answers may be late.
          if (kind === "send") sent.push({ seq: next++, after: newest });
          else if (kind === "answer" && sent.length > 0) {
            for (const { seq } of sent.splice(at % sent.length, 1)) {
              waiting.push(seq);
              newest = Math.max(newest, seq);
            }
          } else if (waiting.length > 0) waiting.splice(at % waiting.length, 1);
          const floor = journalFloor(
            waiting,
            sent.map(({ after }) => after),
            newest,
          );
          for (const seq of [...waiting, ...sent.map((each) => each.seq)])
            expect(floor).toBeLessThanOrEqual(seq);
        }
      }),
    );
  });
});
