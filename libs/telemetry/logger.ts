import { context, trace } from "@opentelemetry/api";
import { type DestinationStream, type Logger as PinoLogger, pino } from "pino";
import { REDACTED, redactSecrets, redactText } from "./redact.ts";

/** What every part logs through. JSON lines; `{ err }` for errors, so that they are logged with stack and cause. */
export type Logger = PinoLogger;

export const logLevels = ["trace", "debug", "info", "warn", "error", "fatal", "silent"] as const;

export type LogLevel = (typeof logLevels)[number];

export interface LoggerOptions {
  readonly service: string;
  /** "info" unless told. */
  readonly level?: LogLevel;
  /** Where lines go; standard output unless told. */
  readonly destination?: DestinationStream;
}

/**
 * The logger of a service: one JSON object per line with `service`, an RFC 3339 `time`, and inside a span its
 * `trace_id` and `span_id`. Secrets are redacted by key, at any depth, in fields, bindings and errors.
 */
export function createLogger(options: LoggerOptions): Logger {
  const settings = {
    level: options.level ?? "info",
    base: { service: options.service, pid: process.pid },
    timestamp: pino.stdTimeFunctions.isoTime,
    mixin: traceIds,
    formatters: {
      level: (label: string) => ({ level: label }),
      bindings: redactRecord,
      log: redactRecord,
    },
    // A child's bindings bypass the formatters.
    redact: { paths: ["authorization", "cookie", "token", "password", "secret", "seed"], censor: REDACTED },
    serializers: { err: (error: unknown) => redactSecrets(error) },
    hooks: {
      // The message text comes from code, but it may quote a URL or a header.
      streamWrite: redactText,
    },
  };
  return options.destination === undefined ? pino(settings) : pino(settings, options.destination);
}

function traceIds(): Record<string, string> {
  const span = trace.getSpanContext(context.active());
  return span === undefined ? {} : { trace_id: span.traceId, span_id: span.spanId };
}

function redactRecord(record: object): Record<string, unknown> {
  return redactSecrets({ ...record }) as Record<string, unknown>; // A plain object stays one.
}
