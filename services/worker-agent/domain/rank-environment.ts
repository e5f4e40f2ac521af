import type { Assignment, RankPlace } from "./assignment.ts";
import type { RendezvousPlace } from "./rendezvous-place.ts";

/** What of this node goes into the environment of its ranks. */
export interface NodeForRanks {
  /** The attempt's directory, absolute. */
  readonly attemptDir: string;
  /** Where the ranks of other nodes reach those of this one. */
  readonly rendezvous: RendezvousPlace;
  readonly slotKind: string;
  /** The variable that names a rank's devices by number; none where slots are no devices. */
  readonly slotVariable?: string | undefined;
  readonly slots: number;
  readonly cpuCount: number;
  /** A cgroup (v2) of the agent's, whose children may limit memory and processes; absent where the node has none to give. */
  readonly cgroup?: string | undefined;
  /** Where the SDK's source is, when it is not installed in the interpreter. */
  readonly sdkPath?: string | undefined;
  /** The gateway's address; empty when there is none. */
  readonly gatewayUrl: string;
  /** Where programs are looked for: beside the ranks' interpreter, as in an activated environment, then as on the node. */
  readonly path: string;
}

/**
 * The variables of one rank: torchrun's contract, the platform's own, and under them the user's. A user's variable never
 * replaces one of the platform's, for the ranks' identity and token hang on those; `TRAINYARD_*` is the platform's
 * altogether.
 */
export function rankEnvironment(
  assignment: Assignment,
  place: RankPlace,
  node: NodeForRanks,
): Record<string, string> {
  const own = Object.entries(assignment.work.env).filter(([name]) => !name.startsWith("TRAINYARD_"));
  const user: Record<string, string> = Object.fromEntries(own);
  return {
    OMP_NUM_THREADS: String(Math.max(1, Math.floor(node.cpuCount / node.slots))),
    // torchrun's own default: a collective that fails or hangs ends the rank.
    TORCH_NCCL_ASYNC_ERROR_HANDLING: "1",
    PATH: node.path,
    ...sameHashes,
    ...networkInterface(assignment, node),
    ...(assignment.work.secrets.some(({ file }) => file !== "")
      ? { TRAINYARD_SECRETS_DIR: `${node.attemptDir}/secrets` }
      : {}),
    ...user,
    ...pythonPath(user.PYTHONPATH, node.sdkPath),
    ...torchrun(assignment, place, node),
    ...platform(assignment, place, node),
  };
}

/** The order in which Python walks a set of texts is the same in every run, and in the launcher that ranks are forked from. */
const sameHashes = { PYTHONHASHSEED: "0" } as const;

function torchrun(assignment: Assignment, place: RankPlace, node: NodeForRanks): Record<string, string> {
  const rankDir = rankDirOf(node, place);
  return {
    RANK: String(place.rank),
    LOCAL_RANK: String(place.localRank),
    WORLD_SIZE: String(assignment.worldSize),
    LOCAL_WORLD_SIZE: String(assignment.ranks.length),
    GROUP_RANK: String(assignment.groupRank),
    GROUP_WORLD_SIZE: String(assignment.groupCount),
    ROLE_RANK: String(place.rank),
    ROLE_WORLD_SIZE: String(assignment.worldSize),
    ROLE_NAME: "default",
    // The real address comes from rendezvous.json: rank 0 listens on a free port, so that none is raced for.
    MASTER_ADDR: addressFor(assignment, node),
    MASTER_PORT: "0",
    TORCHELASTIC_RESTART_COUNT: String(assignment.attempt - 1),
    TORCHELASTIC_MAX_RESTARTS: String(assignment.maxRestarts),
    TORCHELASTIC_RUN_ID: assignment.runId,
    ...(assignment.work.framework === "torch" ? { TORCHELASTIC_USE_AGENT_STORE: "True" } : {}),
    // For a launcher inside a rank; it is torchrun's own default.
    TORCHELASTIC_SIGNALS_TO_HANDLE: "SIGTERM,SIGINT,SIGHUP,SIGQUIT",
    TORCHELASTIC_ERROR_FILE: `${rankDir}/error.json`,
    ...(node.slotVariable === undefined
      ? {}
      : { [node.slotVariable]: visibleDevices(assignment, place).join(",") }),
  };
}

/**
 * A script for torchrun takes the device number LOCAL_RANK of those it sees, so with one device per rank each rank sees all of
 * the gang's devices on this node, in the ranks' order. A rank of several devices sees its own.
 */
function visibleDevices(assignment: Assignment, place: RankPlace): readonly number[] {
  if (place.slots.length !== 1) return place.slots;
  return assignment.ranks.toSorted((a, b) => a.localRank - b.localRank).flatMap(({ slots }) => slots);
}

/** Where the other ranks reach this one's. A gang on one node stays off the network. */
function addressFor({ groupCount }: Assignment, node: NodeForRanks): string {
  return groupCount > 1 ? node.rendezvous.address : "127.0.0.1";
}

/** Gloo and NCCL pick an interface by themselves, on a machine with several perhaps one that the others do not reach. */
function networkInterface({ groupCount }: Assignment, node: NodeForRanks): Record<string, string> {
  const name = node.rendezvous.interface;
  if (groupCount < 2 || name === undefined) return {};
  return { GLOO_SOCKET_IFNAME: name, NCCL_SOCKET_IFNAME: name };
}

function platform(assignment: Assignment, place: RankPlace, node: NodeForRanks): Record<string, string> {
  const { work } = assignment;
  return {
    ...(assignment.traceparent === "" ? {} : { TRACEPARENT: assignment.traceparent }),
    MLFLOW_RUN_ID: assignment.runId,
    ...(node.gatewayUrl === ""
      ? {}
      : { MLFLOW_TRACKING_URI: node.gatewayUrl, TRAINYARD_URL: node.gatewayUrl }),
    MLFLOW_TRACKING_TOKEN: assignment.rankToken,
    TRAINYARD_TOKEN: assignment.rankToken,
    TRAINYARD_RUN_ID: assignment.runId,
    TRAINYARD_JOB_ID: assignment.jobId,
    TRAINYARD_ATTEMPT: String(assignment.attempt),
    TRAINYARD_PROJECT: assignment.project,
    TRAINYARD_FRAMEWORK: work.framework,
    TRAINYARD_NODE_ADDRESS: addressFor(assignment, node),
    ...(work.mesh === undefined ? {} : { TRAINYARD_MESH: JSON.stringify(work.mesh) }),
    TRAINYARD_RANK_DIR: rankDirOf(node, place),
    TRAINYARD_ATTEMPT_DIR: node.attemptDir,
    TRAINYARD_PARAMS: work.paramsJson,
    ...checkpoints(work.checkpoint),
    ...(work.framework === "torch" && work.collectiveTimeoutSeconds > 0
      ? { TRAINYARD_COLLECTIVE_TIMEOUT_SECONDS: String(work.collectiveTimeoutSeconds) }
      : {}),
    TRAINYARD_SEED: work.seed,
    TRAINYARD_DETERMINISTIC: work.deterministic ? "1" : "0",
    ...(assignment.datasetManifestDigest === undefined
      ? {}
      : { TRAINYARD_DATASET_MANIFEST: `${node.attemptDir}/dataset.json` }),
    ...(work.dataPaths.length === 0 ? {} : { TRAINYARD_DATA_PATHS: JSON.stringify(work.dataPaths) }),
    ...(assignment.resume === undefined ? {} : { TRAINYARD_RESUME_DIR: `${node.attemptDir}/resume` }),
  };
}

function checkpoints({ everySteps, everySeconds, best, stream }: Assignment["work"]["checkpoint"]) {
  return {
    TRAINYARD_CHECKPOINT_EVERY_STEPS: String(everySteps),
    TRAINYARD_CHECKPOINT_EVERY_SECONDS: String(everySeconds),
    // The mode first: a metric's name may hold a colon.
    ...(best === undefined ? {} : { TRAINYARD_CHECKPOINT_BEST: `${best.mode}:${best.metric}` }),
    ...(stream ? { TRAINYARD_CHECKPOINT_STREAM: "1" } : {}),
  };
}

function rankDirOf(node: NodeForRanks, place: RankPlace): string {
  return `${node.attemptDir}/rank-${place.rank}`;
}

function pythonPath(users: string | undefined, sdkPath: string | undefined): Record<string, string> {
  const paths = [users, sdkPath].filter((path) => path !== undefined && path !== "");
  return paths.length === 0 ? {} : { PYTHONPATH: paths.join(":") };
}

const inheritedNames: ReadonlySet<string> = new Set([
  "PATH",
  "HOME",
  "USER",
  "LOGNAME",
  "LANG",
  "TZ",
  "TMPDIR",
  "LD_LIBRARY_PATH",
]);
const inheritedPrefixes = ["LC_", "CUDA_", "NVIDIA_", "NCCL_", "GLOO_"];

/** What uv needs beside that: its own settings, and the way to the package registry. */
export function uvEnvironment(agent: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const passes = /^(UV_|XDG_|SSL_CERT_|(HTTPS?|ALL|NO)_PROXY$)/i;
  const own = Object.entries(agent).filter(([name, value]) => value !== undefined && passes.test(name));
  return { ...shimEnvironment(agent, undefined), ...(Object.fromEntries(own) as Record<string, string>) };
}

/**
 * What the shim (and so each rank) gets of the agent's own environment: only what a program needs to find its libraries
 * and devices. A list of what passes, since the agent's environment names its credentials.
 */
export function shimEnvironment(
  agent: Readonly<Record<string, string | undefined>>,
  sdkPath: string | undefined,
): Record<string, string> {
  const passes = (name: string) =>
    inheritedNames.has(name) || inheritedPrefixes.some((prefix) => name.startsWith(prefix));
  const kept = Object.entries(agent).filter(([name, value]) => value !== undefined && passes(name));
  return {
    ...(Object.fromEntries(kept) as Record<string, string>),
    ...sameHashes,
    ...pythonPath(undefined, sdkPath),
  };
}
