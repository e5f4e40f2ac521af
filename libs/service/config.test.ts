import { describe, expect, it } from "vitest";
import { z } from "zod";
import { baseConfigShape, intVar, urlVar } from "./base-config.ts";
import { ConfigError, describeConfig, parseConfig } from "./config.ts";

const schema = z.object({
  ...baseConfigShape,
  trackingUrl: urlVar("http", "https"),
  nodeLostMs: intVar(100, 600_000).default(5_000),
});

const good = {
  TRAINYARD_NATS_URL: "nats://127.0.0.1:4222",
  TRAINYARD_MONGODB_URI: "mongodb://scheduler:hunter2@127.0.0.1:27017/?replicaSet=rs0",
  TRAINYARD_MONGODB_DATABASE: "scheduler",
  TRAINYARD_BLOB_URL: "file:///var/lib/trainyard/blobs",
  TRAINYARD_KEY_FILE: "/keys/scheduler.json",
  TRAINYARD_JWKS_FILE: "/keys/jwks.json",
  TRAINYARD_TRACKING_URL: "http://127.0.0.1:5002",
};

describe("configuration", () => {
  it("is read from variables named after the settings, with defaults for the rest", () => {
    const config = parseConfig(schema, { ...good, TRAINYARD_LISTEN_PORT: "5001", TRAINYARD_LOG_LEVEL: "" });
    expect(config).toMatchObject({
      natsUrl: "nats://127.0.0.1:4222",
      listenHost: "127.0.0.1",
      listenPort: 5001,
      logLevel: "info",
      nodeLostMs: 5_000,
      trackingUrl: "http://127.0.0.1:5002",
    });
  });

  it("reports all problems at once, by variable, with what was expected and without secrets", () => {
    const { TRAINYARD_NATS_URL: _, ...rest } = good;
    const env = {
      ...rest,
      TRAINYARD_MONGODB_URI: "postgres://u:hunter2@h/db",
      TRAINYARD_LISTEN_PORT: "many",
      TRAINYARD_LOG_LEVEL: "loud",
      TRAINYARD_NODE_LOST_MS: "5",
    };
    const problems = problemsOf(env);
    expect(problems).toHaveLength(5);
    expect(problems).toContain("TRAINYARD_NATS_URL is not set; it is required");
    expect(problems).toContainEqual(
      expect.stringMatching(/^TRAINYARD_LISTEN_PORT: expected a whole number from 0 to 65535, got "many"/),
    );
    expect(problems).toContainEqual(
      expect.stringMatching(/^TRAINYARD_LOG_LEVEL: expected one of .*, got "loud"/),
    );
    expect(problems.join()).not.toContain("hunter2");
  });

  it("is described without passwords", () => {
    const shown = JSON.stringify(describeConfig(parseConfig(schema, good)));
    expect(shown).not.toContain("hunter2");
    expect(shown).toContain("127.0.0.1:27017");
    expect(shown).toContain("/keys/scheduler.json");
  });
});

function problemsOf(env: Record<string, string>): readonly string[] {
  try {
    parseConfig(schema, env);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  throw new Error("expected a ConfigError");
}
