import type { ServiceImpl } from "@connectrpc/connect";
import type { tracking } from "@trainyard/contracts";
import { isId } from "@trainyard/domain";
import { actorOf, defaultProject, principalOf } from "@trainyard/service";
import type { Deps } from "../deps.ts";
import { invalidField } from "../domain/errors.ts";
import type { RunStatus } from "../domain/run-status.ts";
import { awaitRun } from "../operations/await-run.ts";
import { viewRun } from "../operations/run-view.ts";
import { runToProto } from "../wire/run-to-proto.ts";
import { statusFromProto } from "../wire/status.ts";
import { pageInfo, pageOf } from "./page.ts";

type Methods = Pick<ServiceImpl<typeof tracking.TrackingService>, "getRun" | "listRuns" | "exportRuns">;

/** Runs, one or many. */
export function runsApi(deps: Deps): Methods {
  return {
    async getRun(request, context) {
      const run = await awaitRun(deps, request.runId, principalOf(context), context.signal);
      const marked = await deps.records.favourites.among(actorOf(principalOf(context)), [run.id]);
      return { run: runToProto({ ...(await viewRun(deps, run)), favourite: marked.has(run.id) }) };
    },

    async listRuns(request, context) {
      const { project } = principalOf(context);
      const statuses = statusesOf(request.statuses);
      const { experiment } = request;
      const query = { list: "runs", project: project ?? null, experiment, statuses };
      const page = pageOf(request.page, query);
      const filter = {
        statuses,
        ...(project === undefined ? {} : { project }),
        ...(await experimentFilter(deps, project, experiment)),
        ...(page.before === undefined ? {} : { before: page.before }),
      };
      const { rows, page: info } = pageInfo(await deps.records.runs.list(filter, page.size + 1), page, query);
      const views = await Promise.all(rows.map((run) => viewRun(deps, run)));
      return { runs: views.map(runToProto), page: info };
    },

    async *exportRuns(_request, context) {
      const { project } = principalOf(context);
      for await (const run of deps.records.runs.all()) {
        if (project !== undefined && run.project !== project) continue;
        yield { run: runToProto(await viewRun(deps, run)) };
      }
    },
  };
}

/** Runs of the experiment of that id or name; of none when there is no such experiment. */
async function experimentFilter(
  deps: Deps,
  project: string | undefined,
  experiment: string,
): Promise<{ experimentId?: string }> {
  if (experiment === "") return {};
  if (isId("exp", experiment)) return { experimentId: experiment };
  const found = await deps.records.experiments.findByName(project ?? defaultProject, experiment);
  return { experimentId: found?.id ?? experiment };
}

function statusesOf(statuses: readonly tracking.RunStatus[]): RunStatus[] {
  return statuses.map((status, index) => {
    const known = statusFromProto(status);
    if (known === undefined) throw invalidField(`statuses[${index}]`, `${status} is not the status of a run`);
    return known;
  });
}
