import { create } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import { tracking } from "@trainyard/contracts";
import { newId } from "@trainyard/domain";
import { actorOf, principalOf, projectOf } from "@trainyard/service";
import type { Deps } from "../deps.ts";
import { assertInputs, assertParams, assertTags, assertTotal } from "../domain/check-texts.ts";
import { mergeInputs } from "../domain/dataset-input.ts";
import { assertOpenForInputs, tagNotFound } from "../domain/errors.ts";
import { logParams, mergeTexts } from "../domain/named-text.ts";
import { updateRun } from "../domain/run-update.ts";
import { findChangeable, saveChange } from "../operations/change-run.ts";
import { createRun } from "../operations/create-run.ts";
import { emitUpdated } from "../operations/emit-run.ts";
import { saveEnded } from "../operations/end-run.ts";
import { heartbeat } from "../operations/heartbeat.ts";
import { viewRun } from "../operations/run-view.ts";
import { inputFromProto } from "../wire/inputs.ts";
import { newRunFromProto, runUpdateFromProto } from "../wire/run-requests.ts";
import { runToProto } from "../wire/run-to-proto.ts";
import { textsFromProto } from "../wire/texts.ts";
import { answerOnce } from "./once.ts";

type Methods = Pick<
  ServiceImpl<typeof tracking.RunService>,
  "createRun" | "updateRun" | "logParams" | "setRunTags" | "deleteRunTags" | "logInputs" | "heartbeatRun"
>;

/** What outside clients, and people, say about runs. */
export function runWritesApi(deps: Deps): Methods {
  return {
    async createRun(request, context) {
      const id = newId("run");
      const of = { id, project: projectOf(context), actor: actorOf(principalOf(context)) };
      const asked = newRunFromProto(request, of);
      const schema = tracking.CreateRunResponseSchema;
      return await answerOnce(deps, context, request, schema, async (tx) => {
        const run = await createRun(deps, tx, asked);
        return create(schema, { run: runToProto(await viewRun(deps, run, tx)) });
      });
    },

    async updateRun(request, context) {
      const asked = runUpdateFromProto(request);
      const principal = principalOf(context);
      const actor = actorOf(principal);
      const schema = tracking.UpdateRunResponseSchema;
      // A run ends with all that was logged before.
      await deps.journal.settled(request.runId);
      const answer = await answerOnce(deps, context, request, schema, async (tx) => {
        const { run, experiment } = await findChangeable(deps, tx, request.runId, principal);
        const updated = updateRun(run, asked, deps.now());
        if (updated.ended) {
          const ended = await saveEnded(deps, tx, updated.run, actor);
          return create(schema, { run: runToProto(await viewRun(deps, ended, tx)) });
        }
        const saved = await saveChange(deps, tx, run, updated.run);
        await emitUpdated(tx, saved, experiment, actor);
        return create(schema, { run: runToProto(await viewRun(deps, saved, tx)) });
      });
      deps.signals.raise(request.runId);
      return answer;
    },

    async logParams(request, context) {
      const logged = textsFromProto(request.params);
      assertParams("params", logged);
      const schema = tracking.LogParamsResponseSchema;
      return await answerOnce(deps, context, request, schema, async (tx) => {
        const { run } = await findChangeable(deps, tx, request.runId, principalOf(context));
        const params = logParams(run.id, run.params, logged);
        if (params !== run.params) assertOpenForInputs(run);
        assertTotal("params", params);
        const saved = await saveChange(deps, tx, run, params === run.params ? run : { ...run, params });
        return create(schema, { version: BigInt(saved.version) });
      });
    },

    async setRunTags(request, context) {
      const given = textsFromProto(request.tags);
      assertTags("tags", given);
      const principal = principalOf(context);
      const schema = tracking.SetRunTagsResponseSchema;
      return await answerOnce(deps, context, request, schema, async (tx) => {
        const { run, experiment } = await findChangeable(deps, tx, request.runId, principal);
        const tags = mergeTexts(run.tags, given);
        assertTotal("tags", tags);
        const saved = await saveChange(deps, tx, run, { ...run, tags });
        await emitUpdated(tx, saved, experiment, actorOf(principal));
        return create(schema, { version: BigInt(saved.version) });
      });
    },

    async deleteRunTags(request, context) {
      const principal = principalOf(context);
      const schema = tracking.DeleteRunTagsResponseSchema;
      return await answerOnce(deps, context, request, schema, async (tx) => {
        const { run, experiment } = await findChangeable(deps, tx, request.runId, principal);
        for (const key of request.keys) {
          if (!run.tags.some((tag) => tag.key === key)) throw tagNotFound(`Run ${run.id}`, key);
        }
        const tags = run.tags.filter(({ key }) => !request.keys.includes(key));
        const saved = await saveChange(deps, tx, run, { ...run, tags });
        await emitUpdated(tx, saved, experiment, actorOf(principal));
        return create(schema, { version: BigInt(saved.version) });
      });
    },

    async logInputs(request, context) {
      const given = request.inputs.map(inputFromProto);
      const schema = tracking.LogInputsResponseSchema;
      return await answerOnce(deps, context, request, schema, async (tx) => {
        const { run } = await findChangeable(deps, tx, request.runId, principalOf(context));
        assertOpenForInputs(run);
        const inputs = mergeInputs(run.inputs, given);
        assertInputs("inputs", given, inputs);
        const saved = await saveChange(deps, tx, run, { ...run, inputs });
        return create(schema, { version: BigInt(saved.version) });
      });
    },

    async heartbeatRun({ runId }, context) {
      return { idleLimitSeconds: BigInt(await heartbeat(deps, runId, principalOf(context))) };
    },
  };
}
