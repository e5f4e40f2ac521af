import { ConnectError, type Interceptor } from "@connectrpc/connect";
import { context, SpanStatusCode, trace } from "@opentelemetry/api";
import { startSpan, traceparentOf } from "@trainyard/telemetry";
import { methodPath } from "./access.ts";
import { aroundCall } from "./around-call.ts";

/** Sends the current trace along, as a client span per call. */
export function clientTracingInterceptor(service: string): Interceptor {
  return (next) => (request) => {
    const span = startSpan(service, methodPath(request.method), { kind: "client" });
    const { traceId } = span.spanContext();
    if (!/^0+$/.test(traceId)) request.header.set("traceparent", traceparentOf(span.spanContext()));
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

/** Adds the caller's token to each call that does not carry one. */
export function tokenInterceptor(token: () => Promise<string>): Interceptor {
  return (next) => async (request) => {
    if (!request.header.has("authorization")) request.header.set("authorization", `Bearer ${await token()}`);
    return await next(request);
  };
}
