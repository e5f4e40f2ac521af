import { baseConfigShape } from "@trainyard/service";
import { z } from "zod";

/** What tracking is told by its environment. */
export const configSchema = z.object({ ...baseConfigShape });

export type Config = z.infer<typeof configSchema>;
