import { describe, expect, it } from "vitest";
import { look, SILENT_MS, sharing } from "./replicas.ts";

const self = "me";
const beats = (...pairs: readonly (readonly [string, number])[]) => pairs.map(([id, beat]) => ({ id, beat }));

describe("who shares the work", () => {
  it("leaves out what was there before and has not beaten since", () => {
    const first = look(undefined, beats(["me", 1], ["dead", 7], ["living", 3]), 0);
    expect(sharing(first, self, 0)).toEqual(["me"]);
    const second = look(first, beats(["me", 2], ["dead", 7], ["living", 4]), 2_000);
    expect(sharing(second, self, 2_000)).toEqual(["me", "living"]);
  });

  it("takes in at once who comes later", () => {
    const first = look(undefined, beats(["me", 1]), 0);
    const second = look(first, beats(["me", 2], ["new", 1]), 2_000);
    expect(sharing(second, self, 2_000)).toEqual(["me", "new"]);
  });

  it("drops who is silent for too long, and at once who has left", () => {
    let sights = look(undefined, beats(["me", 1]), 0);
    sights = look(sights, beats(["me", 2], ["silent", 1], ["left", 1]), 1_000);
    sights = look(sights, beats(["me", 3], ["silent", 1]), 2_000);
    expect(sharing(sights, self, 2_000)).toEqual(["me", "silent"]);
    expect(sharing(sights, self, 1_000 + SILENT_MS)).toEqual(["me"]);
  });
});
