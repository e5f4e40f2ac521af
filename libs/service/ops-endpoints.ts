import type { IncomingMessage, ServerResponse } from "node:http";
import type { Http2ServerRequest, Http2ServerResponse } from "node:http2";
import { currentTelemetry } from "@trainyard/telemetry";
import type { Health } from "./health.ts";

type Request = IncomingMessage | Http2ServerRequest;
type Response = ServerResponse | Http2ServerResponse;

/**
 * Answers the endpoints for whoever runs the service, and says whether the request was for one of them:
 * /healthz (the process is alive; asks no dependency), /readyz (all parts started and dependencies answer; 503
 * otherwise, with what is wrong) and /metrics (Prometheus).
 */
export function serveOps(health: Health, request: Request, response: Response): boolean {
  if (request.method !== "GET" && request.method !== "HEAD") return false;
  switch (request.url?.split("?", 1)[0]) {
    case "/healthz":
      sendJson(response, 200, { status: "alive" });
      return true;
    case "/readyz":
      health.readiness().then(
        (readiness) => sendJson(response, readiness.ready ? 200 : 503, readiness),
        () => sendJson(response, 503, { ready: false }),
      );
      return true;
    case "/metrics":
      serveMetrics(request, response);
      return true;
    default:
      return false;
  }
}

/** Sends a small JSON answer. */
export function sendJson(response: Response, status: number, body: unknown): void {
  response.statusCode = status;
  response.setHeader("content-type", "application/json");
  response.setHeader("cache-control", "no-store");
  response.end(`${JSON.stringify(body)}\n`);
}

function serveMetrics(request: Request, response: Response): void {
  const telemetry = currentTelemetry();
  if (telemetry === undefined) sendJson(response, 503, { message: "telemetry is not started" });
  // The exporter uses what the two protocols' responses share.
  else telemetry.handleMetrics(request as IncomingMessage, response as ServerResponse);
}
