import { describe, expect, it } from "vitest";
import { nodeFacts } from "./node-facts.ts";

describe("a node's slots", () => {
  it("are of any kind whose number is given", async () => {
    const declared = { slotKind: "tpu", slots: 8, slotVariable: "TPU_VISIBLE_CHIPS" };
    expect(await nodeFacts(declared)).toMatchObject(declared);
  });

  it("of a kind that cannot be counted need a number", async () => {
    await expect(nodeFacts({ slotKind: "tpu" })).rejects.toThrow(/"tpu".*TRAINYARD_SLOTS/);
  });

  it("are processor cores where that is said", async () => {
    const facts = await nodeFacts({ slotKind: "cpu" });
    expect(facts).toMatchObject({ slotKind: "cpu", slotVariable: undefined });
    expect(facts.slots).toBe(Math.max(2, facts.cpuCount));
  });
});
