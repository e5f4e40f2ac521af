import { describe, expect, it } from "vitest";
import { createRoom } from "./room.ts";

const never = new AbortController().signal;

describe("a room", () => {
  it("gives what is free, and no more", async () => {
    const room = createRoom(5);
    expect(await room.take(3, never)).toBe(3);
    expect(await room.take(3, never)).toBe(2);
  });

  it("serves who asked first as soon as one place is free", async () => {
    const room = createRoom(2);
    await room.take(2, never);
    const order: string[] = [];
    const asked = ["first", "second"].map(async (name) => {
      const places = await room.take(2, never);
      order.push(name);
      return places;
    });
    room.leave(1);
    expect(await asked[0]).toBe(1);
    expect(order).toEqual(["first"]);
    room.leave(1);
    expect(await asked[1]).toBe(1);
  });

  it("gives nothing to who does not wait any more, and its turn to the next", async () => {
    const room = createRoom(1);
    await room.take(1, never);
    const stopping = new AbortController();
    const gone = room.take(1, stopping.signal);
    const next = room.take(1, never);
    stopping.abort();
    expect(await gone).toBe(0);
    room.leave(1);
    expect(await next).toBe(1);
    expect(await room.take(1, stopping.signal)).toBe(0);
  });
});
