import { delimiter, isAbsolute } from "node:path";
import { baseConfigShape, intVar, parseConfig, urlVar } from "@trainyard/service";
import { z } from "zod";

const absolutePath = () => z.string().refine(isAbsolute, "expected an absolute path");

/** "zone=a,rack=7" as a record. */
function labelsVar() {
  return z.string().transform((text, context) => {
    const pairs = text.split(",").map((pair) => pair.split("="));
    if (pairs.every((pair) => pair.length === 2 && pair[0] !== ""))
      return Object.fromEntries(pairs) as Record<string, string>;
    context.addIssue({ code: "custom", message: "expected labels such as zone=a,rack=7" });
    return z.NEVER;
  });
}

/** "/data:/mnt/sets" as a list. */
function foldersVar() {
  return z
    .string()
    .transform((text) => text.split(delimiter).filter((folder) => folder !== ""))
    .refine((folders) => folders.every(isAbsolute), "expected absolute folders, separated by colons");
}

const { natsUrl, natsSeedFile, blobUrl, listenHost, listenPort, keyFile, jwksFile, logLevel } =
  baseConfigShape;

const schema = z.object({
  natsUrl,
  natsSeedFile,
  blobUrl,
  listenHost,
  listenPort,
  keyFile,
  jwksFile,
  logLevel,
  /** This node's name in the fleet. */
  nodeId: z.string().regex(/^[a-zA-Z0-9_][a-zA-Z0-9_-]{0,127}$/, "expected 1 to 128 letters, digits, _ or -"),
  /** Where attempts and caches are kept; on a local disk. */
  agentDir: absolutePath(),
  /** The interpreter that ranks run under. */
  python: z.string(),
  /** Where the SDK's source is, when the interpreter has it not installed. */
  sdkPath: absolutePath().optional(),
  trackingUrl: urlVar("http", "https"),
  /** Asked for the secrets of jobs that name any. */
  schedulerUrl: urlVar("http", "https"),
  /** Handed to the ranks; the agent does not call it. */
  gatewayUrl: urlVar("http", "https").optional(),
  /** Schedulable devices; what the machine has unless told. */
  slots: intVar(1, 4096).optional(),
  /** What a slot is: "gpu", "cpu", or another word for devices that the agent knows nothing of, whose number must then be given. */
  slotKind: z
    .string()
    .regex(/^[a-z][a-z0-9-]{0,31}$/, 'expected "gpu", "cpu", or another word of a-z 0-9 -, such as "tpu"')
    .optional(),
  /** The variable that names a rank's devices by number, for a kind that the agent knows nothing of: TPU_VISIBLE_CHIPS. */
  slotVariable: z
    .string()
    .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, "expected a variable's name")
    .optional(),
  labels: labelsVar().default({}),
  /** Under which other nodes reach this one. */
  address: z.string().default("127.0.0.1"),
  /** Where the ranks of gangs on several nodes meet, when that is another address or interface than `address`. */
  rendezvousAddress: z.string().min(1).optional(),
  rendezvousInterface: z.string().min(1).optional(),
  /** What becomes of running ranks when the agent is stopped: left to the next agent, stopped, or moved to other nodes. */
  onStop: z.enum(["leave", "stop", "drain"], 'expected "leave", "stop" or "drain"').default("leave"),
  /** With "drain": how long gangs may take to checkpoint and leave before the node stops them. */
  drainWithinMs: intVar(0, 86_400_000).default(120_000),
  /** Whether ranks may be forked from a process that has imported torch; off: each starts an interpreter of its own. */
  launcher: z.enum(["warm", "off"], 'expected "warm" or "off"').default("warm"),
  /** Most bytes of fetched blobs and unpacked code; a fifth of the disk unless told. */
  cacheLimitBytes: intVar(0, Number.MAX_SAFE_INTEGER).optional(),
  /** Bytes of the disk kept free for what ranks write: below, caches are cleared and no attempt is started. */
  diskReserveBytes: intVar(0, Number.MAX_SAFE_INTEGER).optional(),
  /** Most launchers at once: the node's own, and those of the Pythons that jobs bring. */
  launchersMax: intVar(1, 64).default(3),
  /** The program that builds the environments of jobs that list packages. */
  uv: absolutePath().optional(),
  /** A cgroup (v2) that was delegated to the agent: each rank gets one in it. Without: rlimits. */
  cgroup: absolutePath().optional(),
  /** Folders of this node that jobs may be given to read as their data; none unless told. */
  dataRoots: foldersVar().default([]),
  /** Cut off from the bus for so long, the node stops its ranks. */
  fenceAfterMs: intVar(100, 3_600_000).default(60_000),
});

/** The agent's settings. */
export type Config = z.infer<typeof schema>;

/** Reads the settings from the environment; throws with all problems at once. */
export function parseAgentConfig(env: Readonly<Record<string, string | undefined>>): Config {
  return parseConfig(schema, env);
}
