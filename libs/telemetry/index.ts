export { createLogger, type Logger, type LoggerOptions, type LogLevel, logLevels } from "./logger.ts";
export { counter, histogram } from "./metrics.ts";
export { redactSecrets, redactText } from "./redact.ts";
export { recordSpan, type SpanOptions, startSpan, withSpan } from "./span.ts";
export { currentTelemetry, startTelemetry, type Telemetry, type TelemetryOptions } from "./telemetry.ts";
export {
  contextFromTraceparent,
  currentTraceId,
  currentTraceparent,
  parseTraceparent,
  traceparentOf,
  withTraceparent,
} from "./traceparent.ts";
