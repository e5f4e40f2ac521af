import { create } from "@bufbuild/protobuf";
import { tracking } from "@trainyard/contracts";
import { DomainError } from "@trainyard/domain";
import { sendJson } from "@trainyard/service";
import type { Upstreams } from "../proxy/upstreams.ts";
import { messageJson } from "./message-json.ts";
import { param, type Route } from "./route.ts";
import { upstreamCall } from "./upstream-call.ts";

/** `GET /api/v1/experiments/{experiment}/runs/{run}`: the experiment by its id or name. */
export function runRoute(upstreams: Upstreams): Route {
  return {
    method: "GET",
    path: "/api/v1/experiments/{experiment}/runs/{run}",
    ranks: true,
    async handle(call) {
      const { getRun } = tracking.TrackingService.method;
      const request = create(getRun.input, { runId: param(call, "run") });
      const { run } = await upstreams.unary(getRun, request, upstreamCall(call));
      const experiment = param(call, "experiment");
      if (run === undefined || ![run.experimentId, run.experiment].includes(experiment)) {
        throw notInExperiment(request.runId, experiment);
      }
      sendJson(call.response, 200, messageJson(tracking.RunSchema, run));
    },
  };
}

function notInExperiment(run: string, experiment: string): DomainError {
  return new DomainError(
    "not_found",
    "RUN_NOT_FOUND",
    `There is no run ${JSON.stringify(run.slice(0, 64))} in experiment ${JSON.stringify(experiment.slice(0, 128))} (trainyard runs lists them).`,
  );
}
