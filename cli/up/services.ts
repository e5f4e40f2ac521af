import type { Platform } from "@trainyard/local";
import type { App } from "@trainyard/service";
import type { Logger } from "@trainyard/telemetry";

type Env = Readonly<Record<string, string | undefined>>;

/** A service that `up` runs in its own process: builds it from its environment. */
export type BuildService = (env: Env, logger: Logger, platform: Platform) => Promise<App>;

/** Every service, loaded only when the platform starts, and all at the same time as the servers do. */
export const loadService = {
  scheduler: async (): Promise<BuildService> => {
    const { build, parseSchedulerConfig } = await import("@trainyard/scheduler");
    return (env, logger) => build(parseSchedulerConfig(env), { logger });
  },
  tracking: async (): Promise<BuildService> => {
    const { build, parseTrackingConfig } = await import("@trainyard/tracking");
    return (env, logger) => build(parseTrackingConfig(env), { logger });
  },
  dataset: async (): Promise<BuildService> => {
    const { build, parseDatasetConfig } = await import("@trainyard/dataset");
    return (env, logger) => build(parseDatasetConfig(env), { logger });
  },
  evaluation: async (): Promise<BuildService> => {
    const { build, parseEvaluationConfig } = await import("@trainyard/evaluation");
    return (env, logger) => build(parseEvaluationConfig(env), { logger });
  },
  registry: async (): Promise<BuildService> => {
    const { build, parseRegistryConfig } = await import("@trainyard/registry");
    return (env, logger) => build(parseRegistryConfig(env), { logger });
  },
  gateway: async (): Promise<BuildService> => {
    const { build, parseGatewayConfig } = await import("@trainyard/gateway");
    return (env, logger, platform) =>
      build(parseGatewayConfig(env), {
        logger,
        admitNode: (node) => platform.admitNode(node),
        withinProcess: true,
      });
  },
} as const satisfies Record<Parameters<Platform["url"]>[0], () => Promise<BuildService>>;

/** The agent of this machine. */
export async function loadAgent(): Promise<BuildService> {
  const { build, parseAgentConfig } = await import("@trainyard/worker-agent");
  return (env, logger) => build(parseAgentConfig(env), { logger, env: process.env });
}
