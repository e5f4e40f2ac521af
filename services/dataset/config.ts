import { baseConfigShape, intVar, parseConfig } from "@trainyard/service";
import { z } from "zod";

/** Everything that the dataset service reads from its environment, as TRAINYARD_… */
export const datasetConfigSchema = z.object({
  ...baseConfigShape,
  /** Folder for files that are being worked on, private to this user; one in the system's temporary folder when unset. */
  datasetWorkDir: z.string().optional(),
  /** Memory of one registration; what needs more goes to the work folder. */
  duckdbMemoryMb: intVar(64, 1_048_576).default(512),
  /** Threads of one registration. */
  duckdbThreads: intVar(1, 256).default(2),
  /** Registrations that run at once; further ones wait. */
  registrationConcurrency: intVar(1, 64).default(2),
});

/** What the dataset service is told by its environment. */
export type DatasetConfig = z.infer<typeof datasetConfigSchema>;

/** Reads the settings; the only reader of the environment. Throws ConfigError with every problem. */
export function parseDatasetConfig(env: Readonly<Record<string, string | undefined>>): DatasetConfig {
  return parseConfig(datasetConfigSchema, env);
}
