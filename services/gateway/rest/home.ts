import { sendJson } from "@trainyard/service";
import type { HttpResponse, Route } from "./route.ts";

/** Answers `GET /`: what this is and what can be done here. */
export function home(routes: readonly Route[]): (response: HttpResponse) => void {
  const about = {
    name: "Trainyard",
    about: "Trains models on a fleet of machines and keeps account of everything that went into them.",
    documentation: "README.md and docs/ in the checkout",
    authentication: "authorization: Bearer TOKEN (trainyard tokens create)",
    rest: routes.map(({ method, path }) => `${method} ${path}`),
    rpc: "gRPC, gRPC-Web and Connect on this port; grpc.reflection.v1 lists the services",
    health: ["/healthz", "/readyz", "/metrics"],
  };
  return (response) => sendJson(response, 200, about);
}
