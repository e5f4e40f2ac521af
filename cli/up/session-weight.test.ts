import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { afterEach, describe, expect, it } from "vitest";
import { giveWay, giveWayToRanks, takeBackWay } from "./session-weight.ts";

const weightOf = (pid: number) => {
  const file = `/proc/${pid}/autogroup`;
  return existsSync(file) ? /nice (-?\d+)/.exec(readFileSync(file, "utf8"))?.[1] : undefined;
};
const hasAutogroups = weightOf(process.pid) !== undefined;

describe("what the platform's sessions weigh", () => {
  afterEach(takeBackWay);

  it("is less than a rank's, and again the same for what stays when it has stopped", async () => {
    const server = spawn("sleep", ["60"], { detached: true, stdio: "ignore" });
    await once(server, "spawn");
    const pid = server.pid ?? 0;
    try {
      await giveWayToRanks({ nats: { pid: () => pid }, mongod: { pid: () => undefined } } as never);
      const [own, servers] = [weightOf(process.pid), weightOf(pid)];
      await takeBackWay();
      expect([own, servers, weightOf(process.pid)]).toEqual(
        hasAutogroups ? ["10", "10", "0"] : [undefined, undefined, undefined],
      );
    } finally {
      server.kill("SIGKILL");
    }
  });

  it("is no concern where there is no such process", async () => {
    await expect(giveWay(2 ** 30)).resolves.toBeUndefined();
  });
});
