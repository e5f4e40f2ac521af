import { randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { PrometheusExporter } from "@opentelemetry/exporter-prometheus";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { NodeSDK, type NodeSDKConfiguration } from "@opentelemetry/sdk-node";

type SpanProcessor = NonNullable<NodeSDKConfiguration["spanProcessors"]>[number];

/** How long `shutdown` waits for spans to reach a collector before it gives them up. */
const SHUTDOWN_TIMEOUT_MS = 3_000;

export interface TelemetryOptions {
  /** The resource's `service.name`: the service's own, or "trainyard" where all of them share one process. */
  readonly service: string;
  readonly version?: string;
  /** Where OTLP goes is read from here; `process.env` unless told. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Receives every span besides the exporter; for tests. */
  readonly spanProcessors?: readonly SpanProcessor[];
}

/** The process's telemetry, running. */
export interface Telemetry {
  /** Answers a scrape in Prometheus' text format. */
  handleMetrics(request: IncomingMessage, response: ServerResponse): void;
  /** Sends what is left and stops. Never throws, and ends within 3 s although the collector is away. */
  shutdown(): Promise<void>;
}

let running: Telemetry | undefined;

/** The telemetry of this process, if it was started. */
export function currentTelemetry(): Telemetry | undefined {
  return running;
}

/**
 * Starts OpenTelemetry for this process: spans by `withSpan`, metrics by `counter` and `histogram`, no automatic
 * instrumentation (it would need a loader flag, and name spans after libraries in place of what they are for).
 *
 * One SDK serves a process, since a second would not replace the first one's global tracer: a second call returns the
 * same telemetry, and services that share a process differ by their spans' `service.component`. Spans are exported
 * (OTLP over HTTP, batched) only if OTEL_EXPORTER_OTLP_ENDPOINT is set; without it they still have ids, so that logs
 * and events of one request can be joined.
 */
export function startTelemetry(options: TelemetryOptions): Telemetry {
  running ??= start(options);
  return running;
}

function start(options: TelemetryOptions): Telemetry {
  const env = options.env ?? process.env;
  const prometheus = new PrometheusExporter({ preventServerStart: true });
  const exporting = Boolean(env.OTEL_EXPORTER_OTLP_ENDPOINT || env.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT);
  const sdk = new NodeSDK({
    serviceName: options.service,
    resourceDetectors: [{ detect: () => ({ attributes: resourceAttributes(options) }) }],
    instrumentations: [],
    metricReaders: [prometheus],
    logRecordProcessors: [],
    ...tracing(exporting, options.spanProcessors),
  });
  sdk.start();
  let stopped: Promise<void> | undefined;
  return {
    handleMetrics: (request, response) => prometheus.getMetricsRequestHandler(request, response),
    shutdown: () => {
      stopped ??= shutdownQuietly(sdk);
      return stopped;
    },
  };
}

/** Some processor has to be there: the SDK makes no tracer, and so no trace ids, without one. */
function tracing(
  exporting: boolean,
  extra: readonly SpanProcessor[] | undefined,
): Pick<Partial<NodeSDKConfiguration>, "traceExporter" | "spanProcessors"> {
  if (extra !== undefined) return { spanProcessors: [...extra] };
  return exporting ? { traceExporter: new OTLPTraceExporter() } : { spanProcessors: [discard] };
}

const discard: SpanProcessor = {
  onStart: () => undefined,
  onEnd: () => undefined,
  forceFlush: () => Promise.resolve(),
  shutdown: () => Promise.resolve(),
};

function resourceAttributes(options: TelemetryOptions): Record<string, string> {
  return {
    "service.namespace": "trainyard",
    "service.instance.id": randomUUID(),
    ...(options.version === undefined ? {} : { "service.version": options.version }),
  };
}

/** The SDK's own shutdown rejects, after its retries, when the collector cannot be reached. */
async function shutdownQuietly(sdk: NodeSDK): Promise<void> {
  const timeout = Promise.withResolvers<void>();
  const timer = setTimeout(timeout.resolve, SHUTDOWN_TIMEOUT_MS);
  await Promise.race([sdk.shutdown().catch(() => undefined), timeout.promise]);
  clearTimeout(timer);
}
