import { randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { context, metrics, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { PrometheusExporter } from "@opentelemetry/exporter-prometheus";
import { defaultResource, resourceFromAttributes } from "@opentelemetry/resources";
import { MeterProvider } from "@opentelemetry/sdk-metrics";
import { NoopSpanProcessor, type SpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";

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

let starting: Promise<Telemetry> | undefined;
let running: Telemetry | undefined;

/** The telemetry of this process, if it was started. */
export function currentTelemetry(): Telemetry | undefined {
  return running;
}

/**
 * Starts OpenTelemetry for this process: spans by `withSpan`, metrics by `counter` and `histogram`, no automatic
 * instrumentation (it would need a loader flag, and name spans after libraries in place of what they are for).
 *
 * One SDK serves a process, since a second would not replace the first one's global tracer: a second call gives the
 * same telemetry, and services that share a process differ by their spans' `service.component`. Spans are exported
 * (OTLP over HTTP, batched) only if OTEL_EXPORTER_OTLP_ENDPOINT is set; without it they still have ids, so that logs
 * and events of one request can be joined.
 */
export function startTelemetry(options: TelemetryOptions): Promise<Telemetry> {
  starting ??= start(options).then((started) => {
    running = started;
    return started;
  });
  return starting;
}

/** What both ways of starting give. */
interface Sdk {
  shutdown(): Promise<unknown>;
}

async function start(options: TelemetryOptions): Promise<Telemetry> {
  const env = options.env ?? process.env;
  const prometheus = new PrometheusExporter({ preventServerStart: true });
  const exports = Boolean(env.OTEL_EXPORTER_OTLP_ENDPOINT || env.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT);
  const sdk =
    exports && options.spanProcessors === undefined
      ? await startExporting(options, prometheus)
      : startKeeping(options, prometheus);
  let stopped: Promise<void> | undefined;
  return {
    handleMetrics: (request, response) => prometheus.getMetricsRequestHandler(request, response),
    shutdown: () => {
      stopped ??= shutdownQuietly(sdk);
      return stopped;
    },
  };
}

/**
 * With an exporter, and all that the standard's variables (OTEL_TRACES_SAMPLER, OTEL_BSP_…) say of it. The SDK that reads
 * them brings every exporter there is, 350 modules: only who exports loads it, for that is a tenth of what a service loads.
 */
async function startExporting(options: TelemetryOptions, prometheus: PrometheusExporter): Promise<Sdk> {
  const { NodeSDK } = await import("@opentelemetry/sdk-node");
  const { OTLPTraceExporter } = await import("@opentelemetry/exporter-trace-otlp-http");
  const sdk = new NodeSDK({
    resource: resourceOf(options),
    autoDetectResources: false,
    instrumentations: [],
    metricReaders: [prometheus],
    logRecordProcessors: [],
    traceExporter: new OTLPTraceExporter(),
  });
  sdk.start();
  return sdk;
}

/** Without one. Some processor has to be there: the SDK makes no tracer, and so no trace ids, without. */
function startKeeping(options: TelemetryOptions, prometheus: PrometheusExporter): Sdk {
  const resource = resourceOf(options);
  const spanProcessors = [...(options.spanProcessors ?? [new NoopSpanProcessor()])];
  const tracers = new TracerProvider({ resource, spanProcessors });
  const meters = new MeterProvider({ resource, readers: [prometheus] });
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  trace.setGlobalTracerProvider(tracers);
  metrics.setGlobalMeterProvider(meters);
  return { shutdown: () => Promise.all([tracers.shutdown(), meters.shutdown()]) };
}

function resourceOf({ service, version }: TelemetryOptions) {
  return defaultResource().merge(
    resourceFromAttributes({
      "service.name": service,
      "service.namespace": "trainyard",
      "service.instance.id": randomUUID(),
      ...(version === undefined ? {} : { "service.version": version }),
    }),
  );
}

/** The SDK's own shutdown rejects, after its retries, when the collector cannot be reached. */
async function shutdownQuietly(sdk: Sdk): Promise<void> {
  const timeout = Promise.withResolvers<void>();
  const timer = setTimeout(timeout.resolve, SHUTDOWN_TIMEOUT_MS);
  await Promise.race([sdk.shutdown().catch(() => undefined), timeout.promise]);
  clearTimeout(timer);
}
