import { createLogger, type Logger } from "@trainyard/telemetry";

/** A logger that says nothing, unless TRAINYARD_TEST_LOG names a level. */
export function testLogger(name = "test"): Logger {
  return createLogger({
    service: name,
    destination: process.stderr,
    ...levelOf(process.env.TRAINYARD_TEST_LOG),
  });
}

function levelOf(text: string | undefined) {
  const levels = ["trace", "debug", "info", "warn", "error"] as const;
  return { level: levels.find((level) => level === text) ?? ("silent" as const) };
}
