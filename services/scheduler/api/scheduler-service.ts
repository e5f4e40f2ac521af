import type { ConnectRouter } from "@connectrpc/connect";
import { scheduler } from "@trainyard/contracts";
import type { Heard } from "../fleet.ts";
import type { Stacks } from "../stacks.ts";
import type { NodeOrders } from "../store/node-orders.ts";
import type { Secrets } from "../store/secrets.ts";
import { cancelJob } from "./cancel-job.ts";
import { captureStacks } from "./capture-stacks.ts";
import { cordonNode, drainNode, uncordonNode } from "./order-node.ts";
import { listNodes, listQueues } from "./read-fleet.ts";
import { exportJobs, getJob, listJobs } from "./read-jobs.ts";
import { type SecretDeps, secretService } from "./secret-service.ts";
import { type SubmitDeps, submitJob } from "./submit-job.ts";
import { watchJob } from "./watch-job.ts";

/** What the RPCs need. */
export interface ApiDeps extends SubmitDeps, SecretDeps {
  readonly secrets: Secrets;
  readonly nodeOrders: NodeOrders;
  readonly stacks: Stacks;
  /** What was last heard of a node by this process. */
  readonly latest: (nodeId: string) => Heard | undefined;
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
      cordonNode: (request, context) => cordonNode(deps, request, context),
      uncordonNode: (request, context) => uncordonNode(deps, request, context),
      drainNode: (request, context) => drainNode(deps, request, context),
      captureStacks: (request, context) => captureStacks(deps, request, context),
      listQueues: () => listQueues(deps),
      exportJobs: (_request, context) => exportJobs(deps.jobs, context),
    });
    router.service(scheduler.SecretService, secretService(deps));
  };
}
