import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import { tracking } from "@trainyard/contracts";
import { assertName, DomainError, newId } from "@trainyard/domain";
import { actorOf, principalOf } from "@trainyard/service";
import type { Tx } from "@trainyard/store";
import type { Deps } from "../deps.ts";
import { invalidField } from "../domain/errors.ts";
import type { Experiment } from "../domain/experiment.ts";
import { MAX_DESCRIPTION_LENGTH, MAX_OWNER_LENGTH } from "../domain/limits.ts";
import { answerOnce } from "./once.ts";
import { pageInfo, pageOf } from "./page.ts";

/** Where callers that are not limited to a project work. */
const DEFAULT_PROJECT = "default";

type Methods = Pick<ServiceImpl<typeof tracking.TrackingService>, "createExperiment" | "listExperiments">;

/** Experiments: made by people, or by the first run that names one. */
export function experimentsApi(deps: Deps): Methods {
  return {
    async createExperiment(request, context) {
      checkRequest(request);
      const schema = tracking.CreateExperimentResponseSchema;
      const id = newId("exp");
      return await answerOnce(deps, context, request, schema, async (tx) =>
        create(schema, { experiment: experimentToProto(await insert(deps, tx, request, context, id)) }),
      );
    },

    async listExperiments(request, context) {
      const { project } = principalOf(context);
      const query = { list: "experiments", project: project ?? null };
      const page = pageOf(request.page, query);
      const found = await deps.records.experiments.list(project, page.before, page.size + 1);
      const { rows, page: info } = pageInfo(found, page, query);
      return { experiments: rows.map(experimentToProto), page: info };
    },
  };
}

function checkRequest({ name, description, owner }: tracking.CreateExperimentRequest): void {
  assertName("name", name);
  if (description.length > MAX_DESCRIPTION_LENGTH) {
    throw invalidField(
      "description",
      `expected at most ${MAX_DESCRIPTION_LENGTH} characters (MAX_DESCRIPTION_LENGTH)`,
    );
  }
  if (owner.length > MAX_OWNER_LENGTH) {
    throw invalidField("owner", `expected at most ${MAX_OWNER_LENGTH} characters (MAX_OWNER_LENGTH)`);
  }
}

async function insert(
  deps: Deps,
  tx: Tx,
  request: tracking.CreateExperimentRequest,
  context: HandlerContext,
  id: string,
): Promise<Experiment> {
  const principal = principalOf(context);
  const project = principal.project ?? DEFAULT_PROJECT;
  const { name, description } = request;
  const known = await deps.records.experiments.findByName(project, name, tx);
  if (known !== undefined) {
    const message = `Project ${project} has an experiment ${name} already (${known.id}). Use it, or choose another name.`;
    throw new DomainError("already_exists", "EXPERIMENT_EXISTS", message, {
      metadata: { experiment_id: known.id },
    });
  }
  const createdBy = actorOf(principal);
  const owner = request.owner === "" ? createdBy : request.owner;
  const experiment = { id, project, name, description, owner, createdBy, createdAt: deps.now(), version: 1 };
  await deps.records.experiments.insert(tx, experiment);
  return experiment;
}

function experimentToProto(experiment: Experiment): tracking.Experiment {
  return create(tracking.ExperimentSchema, {
    ...experiment,
    createdAt: timestampFromDate(experiment.createdAt),
    version: BigInt(experiment.version),
  });
}
