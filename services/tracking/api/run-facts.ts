import { create } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import { tracking } from "@trainyard/contracts";
import { principalOf } from "@trainyard/service";
import type { Deps } from "../deps.ts";
import { assertMarkdown, assertParams, assertTags } from "../domain/check-texts.ts";
import { invalidField } from "../domain/errors.ts";
import { MAX_RANK } from "../domain/limits.ts";
import { logRunFacts } from "../operations/log-run-facts.ts";
import { notePlaceFromProto } from "../wire/note.ts";
import { textsFromProto } from "../wire/texts.ts";
import { answerOnce } from "./once.ts";

type Methods = Pick<ServiceImpl<typeof tracking.TrackingService>, "logRunFacts">;

/** What ranks say about their runs. */
export function runFactsApi(deps: Deps): Methods {
  return {
    async logRunFacts(request, context) {
      const { runId, attempt, rank, note, noteStep: step, noteKey: key } = request;
      if (rank < 0 || rank > MAX_RANK) throw invalidField("rank", `expected 0 to ${MAX_RANK}`);
      const params = textsFromProto(request.params);
      const tags = textsFromProto(request.tags);
      assertParams("params", params);
      assertTags("tags", tags);
      assertMarkdown("note", note);
      const noteAt = notePlaceFromProto({ ...(step === undefined ? {} : { step }), key });
      const nodeId = principalOf(context).name;
      const schema = tracking.LogRunFactsResponseSchema;
      return await answerOnce(deps, context, request, schema, async (tx) => {
        const facts = { runId, attempt, rank, nodeId, params, tags, note, noteAt };
        const run = await logRunFacts(deps, tx, facts);
        return create(schema, { version: BigInt(run.version) });
      });
    },
  };
}
