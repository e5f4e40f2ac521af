import { describe, expect, it } from "vitest";
import { setParams } from "./set-params.ts";

describe("--set", () => {
  it.each([
    ["a number", "lr=0.1", { lr: 0.1 }],
    ["true and false", "amp=true", { amp: true }],
    ["text", "optimizer=adam", { optimizer: "adam" }],
    ["text that looks like a number, quoted", 'tag="1"', { tag: "1" }],
    ["a value with = in it", "filter=a=b", { filter: "a=b" }],
    ["an empty value", "note=", { note: "" }],
    ["a list", "betas=[0.9,0.99]", { betas: [0.9, 0.99] }],
    ["a key inside an object", "opt.momentum=0.5", { opt: { momentum: 0.5 } }],
  ])("reads %s", (_what, text, expected) => {
    expect(setParams({}, [text])).toEqual(expected);
  });

  it("replaces what the file says and leaves the rest, also inside objects", () => {
    const params = { lr: 1, opt: { name: "sgd", momentum: 0.9 } };
    expect(setParams(params, ["lr=0.1", "opt.momentum=0"])).toEqual({
      lr: 0.1,
      opt: { name: "sgd", momentum: 0 },
    });
    expect(params.opt.momentum).toBe(0.9);
  });

  it.each(["lr", "=1", "a..b=1", "__proto__.x=1", "constructor=1"])(
    "refuses %s and says what is expected",
    (text) => {
      expect(() => setParams({}, [text])).toThrow("expected key=value");
    },
  );

  it("refuses to reach into what is no object", () => {
    expect(() => setParams({ lr: 0.1 }, ["lr.x=1"])).toThrow('"lr" is 0.1, not an object');
  });
});
