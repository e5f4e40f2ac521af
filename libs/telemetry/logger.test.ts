import { describe, expect, it } from "vitest";
import { createLogger } from "./logger.ts";
import { redactText } from "./redact.ts";

/** A logger and the lines it has written, parsed. */
function recordingLogger() {
  const lines: Record<string, unknown>[] = [];
  const destination = { write: (line: string) => void lines.push(JSON.parse(line)) };
  return { logger: createLogger({ service: "tracking", level: "debug", destination }), lines };
}

describe("the logger", () => {
  it("writes one JSON object a line with service, level and time", () => {
    const { logger, lines } = recordingLogger();
    logger.info({ job: "job_1" }, "job placed");
    expect(lines).toEqual([
      expect.objectContaining({ service: "tracking", level: "info", job: "job_1", msg: "job placed" }),
    ]);
    expect(lines[0]?.time).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
  });

  it("hides secrets at any depth, in child bindings and in text", () => {
    const { logger, lines } = recordingLogger();
    const child = logger.child({ token: "hunter2" });
    child.info(
      { headers: { Authorization: "hunter2" }, list: [{ natsSeed: "hunter2", db_password: "hunter2" }] },
      "calling with Bearer hunter2 at mongodb://user:hunter2@host:1/db",
    );
    child.info({ env: { TRAINYARD_TOKEN: "hunter2" }, url: "nats://u:hunter2@h:4222" }, "env");
    expect(lines).toHaveLength(2);
    expect(JSON.stringify(lines)).not.toContain("hunter2");
  });

  it("keeps page tokens, token counts and ids, which are no secrets", () => {
    const { logger, lines } = recordingLogger();
    logger.info(
      { page_token: "p1", tokens: 3, tokenId: "tok_1", fencingToken: 7, seed: 42, key: "loss" },
      "x",
    );
    expect(lines[0]).toMatchObject({
      page_token: "p1",
      tokens: 3,
      tokenId: "tok_1",
      fencingToken: 7,
      key: "loss",
    });
  });

  it("logs an error whole, with its causes and without the secrets hung on it", () => {
    const { logger, lines } = recordingLogger();
    const cause = Object.assign(new Error("socket closed"), {
      config: { headers: { authorization: "hunter2" } },
    });
    logger.error({ err: new Error("could not reach the bus", { cause }) }, "failed");
    const text = JSON.stringify(lines[0]);
    expect(text).toContain("could not reach the bus");
    expect(text).toContain("socket closed");
    expect(text).toContain("logger.test.ts");
    expect(text).not.toContain("hunter2");
  });

  it("stays valid JSON where a URL and an at sign share a line", () => {
    const line = JSON.stringify({ url: "nats://127.0.0.1:4222", user: "ada@lab" });
    expect(redactText(line)).toBe(line);
  });
});
