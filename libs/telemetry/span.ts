import {
  type Attributes,
  context,
  type Link,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  type TimeInput,
  trace,
} from "@opentelemetry/api";
import { contextFromTraceparent, parseTraceparent } from "./traceparent.ts";

/** Which service a span is of. The resource's `service.name` cannot tell where all services share one process. */
const COMPONENT = "service.component";

export interface SpanOptions {
  readonly attributes?: Attributes;
  readonly kind?: "internal" | "server" | "client" | "producer" | "consumer";
  /** A traceparent to be the child of, in place of the current span. */
  readonly parent?: string | undefined;
  /** Traceparents of spans that led here without being the parent. */
  readonly links?: readonly string[];
  /** Begins a trace of its own, whatever span is current. */
  readonly root?: boolean;
  readonly startTime?: TimeInput;
}

/**
 * Starts a span that the caller ends. It is not made the current one: use `withSpan` for work that calls on.
 * `tracerName` is the service's name.
 */
export function startSpan(tracerName: string, spanName: string, options: SpanOptions = {}): Span {
  const parent = options.root === true ? ROOT_CONTEXT : contextFromTraceparent(options.parent);
  return trace.getTracer(tracerName).startSpan(
    spanName,
    {
      kind: spanKinds[options.kind ?? "internal"],
      attributes: { [COMPONENT]: tracerName, ...options.attributes },
      links: (options.links ?? []).flatMap(linkTo),
      ...(options.startTime === undefined ? {} : { startTime: options.startTime }),
    },
    parent,
  );
}

/**
 * Runs `fn` inside a new span, ends the span when `fn`'s promise settles, and records what it throws. The error goes on
 * to the caller as it was.
 */
export async function withSpan<T>(
  tracerName: string,
  spanName: string,
  options: SpanOptions,
  fn: (span: Span) => Promise<T> | T,
): Promise<T> {
  const span = startSpan(tracerName, spanName, options);
  try {
    return await context.with(trace.setSpan(context.active(), span), () => fn(span));
  } catch (error) {
    span.recordException(error instanceof Error ? error : String(error));
    span.setStatus({
      code: SpanStatusCode.ERROR,
      message: error instanceof Error ? error.message : String(error),
    });
    throw error;
  } finally {
    span.end();
  }
}

/**
 * Records a span for something that happened elsewhere and is over, such as a rank's start: its times come from where
 * it happened. Without a (valid) parent nothing is recorded, since such a span would be a trace of its own that nobody
 * looks for.
 */
export function recordSpan(
  name: string,
  options: {
    readonly parent: string | undefined;
    readonly startTime: TimeInput;
    readonly endTime: TimeInput;
    readonly attributes?: Attributes;
    /** The service that records it; "trainyard" unless told. */
    readonly tracerName?: string;
    readonly error?: string;
  },
): void {
  if (parseTraceparent(options.parent) === undefined) return;
  const span = startSpan(options.tracerName ?? "trainyard", name, {
    parent: options.parent,
    startTime: options.startTime,
    ...(options.attributes === undefined ? {} : { attributes: options.attributes }),
  });
  if (options.error !== undefined) span.setStatus({ code: SpanStatusCode.ERROR, message: options.error });
  span.end(options.endTime);
}

const spanKinds = {
  internal: SpanKind.INTERNAL,
  server: SpanKind.SERVER,
  client: SpanKind.CLIENT,
  producer: SpanKind.PRODUCER,
  consumer: SpanKind.CONSUMER,
} as const;

function linkTo(traceparent: string): Link[] {
  const target = parseTraceparent(traceparent);
  return target === undefined ? [] : [{ context: target }];
}
