import { afterAll } from "vitest";
import { closeAll } from "./cleanup.ts";
import { forgetTestSpans, startTestTelemetry } from "./test-spans.ts";

// A set-up file of vitest's: it runs for every test file, also where files share a process and its modules.
await startTestTelemetry();
afterAll(async () => {
  await closeAll();
  forgetTestSpans();
});
