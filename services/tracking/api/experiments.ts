import { create } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import { tracking } from "@trainyard/contracts";
import { newId } from "@trainyard/domain";
import { actorOf, principalOf, projectOf } from "@trainyard/service";
import type { Deps } from "../deps.ts";
import { assertExperimentName, assertMarkdown, assertTags } from "../domain/check-texts.ts";
import { experimentExists, limitExceeded } from "../domain/errors.ts";
import { newExperiment } from "../domain/experiment.ts";
import { MAX_OWNER_LENGTH } from "../domain/limits.ts";
import { insertExperiment } from "../operations/ensure-experiment.ts";
import { experimentToProto } from "../wire/experiment-to-proto.ts";
import { textsFromProto } from "../wire/texts.ts";
import { answerOnce } from "./once.ts";
import { pageInfo, pageOf } from "./page.ts";

type Methods = Pick<ServiceImpl<typeof tracking.TrackingService>, "createExperiment" | "listExperiments">;

/** Experiments: made by people, or by the first run that names one. */
export function experimentsApi(deps: Deps): Methods {
  return {
    async createExperiment(request, context) {
      const { name, description } = request;
      const tags = textsFromProto(request.tags);
      assertExperimentName("name", name);
      assertMarkdown("description", description);
      assertOwner(request.owner);
      assertTags("tags", tags);
      const project = projectOf(context);
      const createdBy = actorOf(principalOf(context));
      const owner = request.owner === "" ? createdBy : request.owner;
      const identity = { id: newId("exp"), project, name, createdBy, createdAt: deps.now() };
      const schema = tracking.CreateExperimentResponseSchema;
      return await answerOnce(deps, context, request, schema, async (tx) => {
        const known = await deps.records.experiments.findByName(project, name, tx);
        if (known !== undefined) throw experimentExists(known);
        const experiment = newExperiment({ ...identity, description, owner, tags });
        await insertExperiment(deps, tx, experiment, createdBy);
        return create(schema, { experiment: experimentToProto(experiment) });
      });
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

/** Throws unless somebody of this name may answer for an experiment. */
export function assertOwner(owner: string): void {
  if (owner.length <= MAX_OWNER_LENGTH) return;
  throw limitExceeded("owner", "MAX_OWNER_LENGTH", MAX_OWNER_LENGTH, owner.length, "characters");
}
