import { Code, ConnectError, type Interceptor } from "@connectrpc/connect";
import { context, SpanStatusCode, trace } from "@opentelemetry/api";
import { histogram, type Logger, startSpan } from "@trainyard/telemetry";
import { methodPath } from "./access.ts";
import { aroundCall } from "./around-call.ts";
import { actorOf, principalKey } from "./principal.ts";
import { isUnexpected, toConnectError } from "./to-connect-error.ts";

/** Opens a server span per call, as a child of the caller's `traceparent`. */
export function tracingInterceptor(service: string): Interceptor {
  return (next) => (request) => {
    const path = methodPath(request.method);
    const span = startSpan(service, path, {
      kind: "server",
      parent: request.header.get("traceparent") ?? undefined,
      attributes: { "rpc.service": request.service.typeName, "rpc.method": request.method.name },
    });
    const inSpan = trace.setSpan(context.active(), span);
    return aroundCall(() => next(request), {
      run: (piece) => context.with(inSpan, piece),
      done: (error) => {
        if (error !== undefined) {
          span.setStatus({ code: SpanStatusCode.ERROR, message: ConnectError.from(error).rawMessage });
        }
        span.end();
      },
    });
  };
}

/** Logs each call at debug with who, how long and how it ended, and counts it in a histogram. */
export function accessLogInterceptor(service: string, logger: Logger): Interceptor {
  const durations = histogram(
    service,
    "trainyard_rpc_duration",
    "How long calls took, by method and outcome.",
  );
  return (next) => (request) => {
    const since = performance.now();
    const method = methodPath(request.method);
    const principal = request.contextValues.get(principalKey);
    return aroundCall(() => next(request), {
      done: (error) => {
        const code = error === undefined ? "ok" : Code[ConnectError.from(error).code];
        const ms = Math.round((performance.now() - since) * 10) / 10;
        durations.record(ms, { service, method, code });
        logger.debug({ method, code, ms, actor: principal && actorOf(principal) }, "call");
      },
    });
  };
}

/** Maps what handlers throw to what callers see, and logs whole what callers will not see. */
export function errorInterceptor(logger: Logger): Interceptor {
  return (next) => (request) =>
    aroundCall(() => next(request), {
      mapError: (error) => {
        // A client that has gone away makes handlers throw abort errors, which nobody needs to know.
        if (request.signal.aborted && isAbort(error))
          return ConnectError.from(request.signal.reason ?? error);
        const mapped = toConnectError(error);
        if (isUnexpected(error)) {
          const level = mapped.code === Code.Unavailable ? "warn" : "error";
          logger[level]({ err: error, method: methodPath(request.method) }, "call failed");
        }
        return mapped;
      },
    });
}

function isAbort(error: unknown): boolean {
  return error instanceof Error && (error.name === "AbortError" || error.name === "TimeoutError");
}
