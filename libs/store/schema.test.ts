import { retention } from "@trainyard/bus";
import { expect, it } from "vitest";
import { INBOX_RETENTION_SECONDS, OUTBOX_RETENTION_SECONDS } from "./schema.ts";

it("remembers a taken event for longer than any copy of it can come again", () => {
  const lastCopySeconds = retention.events.maxAgeMs / 1_000 + OUTBOX_RETENTION_SECONDS;
  expect(INBOX_RETENTION_SECONDS).toBeGreaterThan(lastCopySeconds);
});
