import { baseConfigShape, intVar, parseConfig, urlVar } from "@trainyard/service";
import { z } from "zod";

/** Everything the scheduler reads from its environment, as TRAINYARD_… */
const schema = z.object({
  ...baseConfigShape,
  /** File with the key that secrets are encrypted with: 64 hexadecimal digits. */
  secretsKeyFile: z.string(),
  trackingUrl: urlVar("http", "https"),
  datasetUrl: urlVar("http", "https"),
  /** A dead leader is replaced after one to two of these. */
  leaderTtlMs: intVar(500, 60_000).default(3_000),
  /** Silence after which nothing new is placed on a node. */
  nodeSuspectAfterMs: intVar(200, 600_000).default(3_000),
  /** Silence after which a node's attempts are given up. */
  nodeLostAfterMs: intVar(400, 3_600_000).default(5_000),
  /** Silence that an agent may take which said that it ends and left its ranks running: a restart or an upgrade. */
  nodeRestartWithinMs: intVar(400, 3_600_000).default(60_000),
  /** An elastic gang runs so long before it may grow: each growth costs a restart. */
  growAfterMs: intVar(0, 86_400_000).default(60_000),
  /** A rank computes slower than the others, or waits for data, for so long before it is told of. */
  slowAfterMs: intVar(0, 86_400_000).default(30_000),
  /** How often the bus is probed; silence counts only while the probes succeed. */
  busProbeEveryMs: intVar(50, 10_000).default(500),
  /** Time between asking ranks to end and killing them. */
  stopGraceMs: intVar(0, 600_000).default(10_000),
});

/** What the scheduler is told by its environment. */
export type Config = z.infer<typeof schema>;

/** Reads the settings; the only reader of the environment. Throws ConfigError with every problem. */
export function parseSchedulerConfig(env: Readonly<Record<string, string | undefined>>): Config {
  return parseConfig(schema, env);
}
