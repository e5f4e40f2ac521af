import { create } from "@bufbuild/protobuf";
import { registry, stageByWord } from "@trainyard/contracts";
import { DomainError, newId } from "@trainyard/domain";
import { sendJson } from "@trainyard/service";
import { z } from "zod";
import { type StageWord, stageOf } from "../domain/stage-word.ts";
import type { Upstreams } from "../proxy/upstreams.ts";
import { messageJson } from "./message-json.ts";
import { readJson } from "./read-json.ts";
import { type HttpCall, param, type Route } from "./route.ts";
import { upstreamCall } from "./upstream-call.ts";

const newVersion = z.strictObject({
  name: z.string(),
  version: z.string().default(""),
  artifact_uri: z.string(),
  metrics: z.record(z.string(), z.number()).default({}),
  stage: z.string().default("staging"),
});

const newStage = z.strictObject({ stage: z.string(), reason: z.string().default("") });

const { registerModelVersion, transitionModelVersion } = registry.RegistryService.method;

/** `POST /api/v1/models/register`: a version by the place of its files. */
export function registerRoute(upstreams: Upstreams): Route {
  return {
    method: "POST",
    path: "/api/v1/models/register",
    async handle(call) {
      const body = await readJson(call.request, newVersion);
      assertFirstStage(stageOf(body.stage));
      const { name: model, version, artifact_uri: artifactUri, metrics } = body;
      const request = create(registerModelVersion.input, {
        requestId: requestIdOf(call),
        model,
        version,
        artifactUri,
        metrics,
      });
      const { modelVersion } = await upstreams.unary(registerModelVersion, request, upstreamCall(call));
      sendVersion(call, 201, modelVersion);
    },
  };
}

/** `PUT /api/v1/models/{name}/versions/{version}/stage`: with the same gates and approval as everywhere. */
export function stageRoute(upstreams: Upstreams): Route {
  return {
    method: "PUT",
    path: "/api/v1/models/{name}/versions/{version}/stage",
    async handle(call) {
      const { stage, reason } = await readJson(call.request, newStage);
      const request = create(transitionModelVersion.input, {
        requestId: requestIdOf(call),
        model: param(call, "name"),
        version: param(call, "version"),
        stage: stageByWord[stageOf(stage)],
        reason,
      });
      const { modelVersion } = await upstreams.unary(transitionModelVersion, request, upstreamCall(call));
      sendVersion(call, 200, modelVersion);
    },
  };
}

/** A version cannot have passed anything when it is registered; telling now leaves nothing half done. */
function assertFirstStage(stage: StageWord): void {
  if (stage === "staging") return;
  throw new DomainError(
    "failed_precondition",
    "STAGE_NOT_FIRST",
    `stage: a new version begins in staging, and moves to ${stage} by PUT /api/v1/models/NAME/versions/VERSION/stage once its gates and approval are there. Leave stage out, or give "staging".`,
    { violations: [{ field: "stage", description: 'expected "staging"' }] },
  );
}

/** A client that may repeat its request sends the same Idempotency-Key with it. */
function requestIdOf({ request }: HttpCall): string {
  const key = request.headers["idempotency-key"];
  return typeof key === "string" && key !== "" ? key : newId("req");
}

function sendVersion(
  { response }: HttpCall,
  status: number,
  version: registry.ModelVersion | undefined,
): void {
  if (version === undefined) throw new Error("the registry answered without the model version");
  sendJson(response, status, messageJson(registry.ModelVersionSchema, version));
}
