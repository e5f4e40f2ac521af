import type { ConnectRouter } from "@connectrpc/connect";
import { scheduler } from "@trainyard/contracts";
import { cancelJob } from "./cancel-job.ts";
import { listNodes, listQueues } from "./read-fleet.ts";
import { exportJobs, getJob, listJobs } from "./read-jobs.ts";
import { type SubmitDeps, submitJob } from "./submit-job.ts";
import { watchJob } from "./watch-job.ts";

/** What the RPCs need. */
export interface ApiDeps extends SubmitDeps {
  readonly lastHeardAt: (nodeId: string) => Date | undefined;
}

/** The scheduler's RPCs. */
export function schedulerRoutes(deps: ApiDeps): (router: ConnectRouter) => void {
  return (router) => {
    router.service(scheduler.SchedulerService, {
      submitJob: (request, context) => submitJob(deps, request, context),
      getJob: (request, context) => getJob(deps.jobs, request, context),
      listJobs: (request, context) => listJobs(deps.jobs, request, context),
      cancelJob: (request, context) => cancelJob(deps, request, context),
      watchJob: (request, context) => watchJob(deps, request, context),
      listNodes: () => listNodes(deps),
      listQueues: () => listQueues(deps),
      exportJobs: (_request, context) => exportJobs(deps.jobs, context),
    });
  };
}
