import type { AccessTable } from "@trainyard/service";

const method = (name: string) => `trainyard.scheduler.v1.SchedulerService/${name}`;
const secrets = (name: string) => `trainyard.scheduler.v1.SecretService/${name}`;
const read = { roles: ["viewer"], kinds: ["service"] } as const;

/** Who may call what. Services read, and submit jobs of their own (evaluation). */
export const access: AccessTable = {
  [method("SubmitJob")]: { roles: ["submitter"], kinds: ["service"] },
  [method("GetJob")]: read,
  [method("ListJobs")]: read,
  [method("CancelJob")]: { roles: ["submitter"], kinds: ["service"] },
  [method("WatchJob")]: read,
  [method("ListNodes")]: read,
  [method("CordonNode")]: { roles: ["admin"] },
  [method("UncordonNode")]: { roles: ["admin"] },
  [method("DrainNode")]: { roles: ["admin"] },
  [method("CaptureStacks")]: { roles: ["submitter"] },
  [method("ListQueues")]: read,
  [secrets("PutSecret")]: { roles: ["submitter"] },
  [secrets("ListSecrets")]: { roles: ["submitter"] },
  [secrets("DeleteSecret")]: { roles: ["submitter"] },
  [secrets("FetchSecrets")]: { kinds: ["agent"] },
  [method("ExportJobs")]: { roles: ["admin"], kinds: ["service"] },
};
