import { create } from "@bufbuild/protobuf";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import { tracking } from "@trainyard/contracts";
import { actorOf, principalOf, projectOf } from "@trainyard/service";
import type { Tx } from "@trainyard/store";
import type { Deps } from "../deps.ts";
import { assertExperimentName, assertMarkdown, assertTags, assertTotal } from "../domain/check-texts.ts";
import { tagNotFound } from "../domain/errors.ts";
import type { Experiment } from "../domain/experiment.ts";
import { mergeTexts } from "../domain/named-text.ts";
import { saveExperiment } from "../operations/change-experiment.ts";
import { findActiveExperiment, findExperiment } from "../operations/find-experiment.ts";
import { experimentToProto } from "../wire/experiment-to-proto.ts";
import { textsFromProto } from "../wire/texts.ts";
import { assertOwner } from "./experiments.ts";
import { answerOnce } from "./once.ts";

type Methods = Omit<ServiceImpl<typeof tracking.ExperimentService>, "searchExperiments">;

/** Experiments as people change them. */
export function experimentService(deps: Deps): Methods {
  /** Changes an active experiment, as the caller. */
  const change = async (
    tx: Tx,
    context: HandlerContext,
    idOrName: string,
    next: (experiment: Experiment) => Experiment,
  ) => {
    const experiment = await findActiveExperiment(deps, projectOf(context), idOrName, tx);
    const actor = actorOf(principalOf(context));
    return experimentToProto(await saveExperiment(deps, tx, experiment, next(experiment), actor));
  };
  return {
    async getExperiment({ experiment }, context) {
      return { experiment: experimentToProto(await findExperiment(deps, projectOf(context), experiment)) };
    },

    async updateExperiment(request, context) {
      const { name, description, owner } = request;
      if (name !== undefined) assertExperimentName("name", name);
      if (description !== undefined) assertMarkdown("description", description);
      if (owner !== undefined) assertOwner(owner);
      const schema = tracking.UpdateExperimentResponseSchema;
      return await answerOnce(deps, context, request, schema, async (tx) => {
        const experiment = await change(tx, context, request.experiment, (before) => ({
          ...before,
          name: name ?? before.name,
          description: description ?? before.description,
          owner: owner ?? before.owner,
        }));
        return create(schema, { experiment });
      });
    },

    async setExperimentTags(request, context) {
      const given = textsFromProto(request.tags);
      assertTags("tags", given);
      const schema = tracking.SetExperimentTagsResponseSchema;
      return await answerOnce(deps, context, request, schema, async (tx) => {
        const experiment = await change(tx, context, request.experiment, (before) => {
          const tags = mergeTexts(before.tags, given);
          assertTotal("tags", tags);
          return { ...before, tags };
        });
        return create(schema, { experiment });
      });
    },

    async deleteExperimentTags(request, context) {
      const schema = tracking.DeleteExperimentTagsResponseSchema;
      return await answerOnce(deps, context, request, schema, async (tx) => {
        const experiment = await change(tx, context, request.experiment, (before) => {
          for (const key of request.keys) {
            if (!before.tags.some((tag) => tag.key === key))
              throw tagNotFound(`Experiment ${before.id}`, key);
          }
          return { ...before, tags: before.tags.filter(({ key }) => !request.keys.includes(key)) };
        });
        return create(schema, { experiment });
      });
    },

    async deleteExperiment(request, context) {
      const schema = tracking.DeleteExperimentResponseSchema;
      return await answerOnce(deps, context, request, schema, async (tx) => {
        const experiment = await change(tx, context, request.experiment, (before) => ({
          ...before,
          lifecycle: "deleted",
          deletedAt: deps.now(),
        }));
        return create(schema, { experiment });
      });
    },

    async restoreExperiment(request, context) {
      const schema = tracking.RestoreExperimentResponseSchema;
      const actor = actorOf(principalOf(context));
      return await answerOnce(deps, context, request, schema, async (tx) => {
        const before = await findExperiment(deps, projectOf(context), request.experiment, tx);
        if (before.lifecycle === "active") return create(schema, { experiment: experimentToProto(before) });
        const { deletedAt: _, ...rest } = before;
        const restored = await saveExperiment(deps, tx, before, { ...rest, lifecycle: "active" }, actor);
        return create(schema, { experiment: experimentToProto(restored) });
      });
    },
  };
}
