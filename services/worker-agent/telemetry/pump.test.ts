import { setTimeout as delay } from "node:timers/promises";
import { expect, it } from "vitest";
import { untilShipping } from "./pump.ts";

const { signal } = new AbortController();
const waitFor = (rank: { readonly ended: boolean; readonly followed: boolean }) =>
  untilShipping({ ended: () => rank.ended, isFollowed: () => rank.followed, signal });

it("ships each quarter of a second what nobody follows, and sooner what somebody follows or has ended", async () => {
  // Long before a multiple of 250 ms, so that the next moment of both kinds is not the same.
  while (performance.now() % 250 > 100) await delay(10);
  const order: string[] = [];
  const begunMs = performance.now();
  const beginsToBeFollowed = { ended: false, followed: false };
  await Promise.all([
    waitFor({ ended: false, followed: false }).then(() => order.push("alone")),
    waitFor(beginsToBeFollowed).then(() => order.push("followed")),
    waitFor({ ended: true, followed: false }).then(() => order.push("ended")),
    Promise.resolve().then(() => Object.assign(beginsToBeFollowed, { followed: true })),
  ]);
  expect(new Set(order)).toEqual(new Set(["followed", "ended", "alone"]));
  expect(order.at(-1)).toBe("alone");
  expect(performance.now()).toBeGreaterThanOrEqual(Math.floor(begunMs / 250) * 250 + 249);
});
