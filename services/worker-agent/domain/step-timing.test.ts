import { expect, it } from "vitest";
import { freshForMs, isSystemOnly, timingIn } from "./step-timing.ts";

const whole = {
  seconds: 0.5,
  data_seconds: 0.1,
  compute_seconds: 0.3,
  communication_seconds: 0.08,
  checkpoint_seconds: 0.02,
};
const points = (figures: Readonly<Record<string, number>>) =>
  Object.entries(figures).map(([key, value]) => ({ key: `trainyard/step/${key}`, value }));

it("reads what the SDK tells of the steps, whatever else is in the record", () => {
  const timing = timingIn([{ key: "loss", value: 1 }, ...points(whole)]);
  expect(timing).toEqual({
    seconds: 0.5,
    dataSeconds: 0.1,
    computeSeconds: 0.3,
    communicationSeconds: 0.08,
    checkpointSeconds: 0.02,
  });
});

it.each([
  ["no timing", { loss: 1 }],
  ["a part that is missing", { ...whole, data_seconds: Number.NaN }],
  ["a part below nothing", { ...whole, compute_seconds: -1 }],
  ["a step of no time", { ...whole, seconds: 0 }],
  ["a step of endless time", { ...whole, seconds: Number.POSITIVE_INFINITY }],
])("takes no timing from %s", (_what, figures) => {
  expect(timingIn(points(figures))).toBeUndefined();
});

it("tells what the platform measures from what a script logs", () => {
  expect(isSystemOnly(points(whole))).toBe(true);
  expect(isSystemOnly([...points(whole), { key: "loss", value: 1 }])).toBe(false);
  expect(isSystemOnly([])).toBe(false);
});

it("takes a timing for what is now during ten steps, and ten seconds", () => {
  expect(freshForMs({ seconds: 0.1 } as never)).toBe(10_000);
  expect(freshForMs({ seconds: 30 } as never)).toBe(300_000);
});
