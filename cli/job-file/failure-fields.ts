import { z } from "zod";
import { duration, secondsOf } from "./duration.ts";

const seconds = () => z.int().min(1).max(31_622_400);
const budget = () => z.int().min(0).max(1000).optional();

/** What a job file says of how its gang may shrink, fail, hang and idle. */
export const failureFields = {
  failureBudgets: z
    .strictObject({
      infra: budget().describe(
        "Machines and processes that were lost or killed from outside; 20 by default.",
      ),
      platform: budget().describe("Failures of the platform itself; 20 by default."),
      data: budget().describe("Data that could not be fetched; 5 by default."),
      preempted: budget().describe("Times the platform took the slots back; 1000 by default."),
    })
    .optional()
    .describe("How often failures that are not your code's may be retried, by class."),
  haltOnNonFinite: z
    .array(z.string().min(1).max(512))
    .max(32)
    .default([])
    .describe(
      "Metrics whose first NaN or infinity ends the run, such as [loss]; what was saved before is kept.",
    ),
  hang: z
    .union([
      z.literal("off"),
      z.strictObject({ afterSeconds: seconds().describe("Seconds without a step.") }),
    ])
    .optional()
    .describe(
      'When a gang that makes no step is restarted as hung: by its own pace when left out, after so long, or "off".',
    ),
  collectiveTimeout: duration
    .refine((value) => value === undefined || secondsOf(value) > 0, { message: "expected more than 0" })
    .optional()
    .describe(
      'How long a collective waits for ranks that do not come, such as "5m", before it raises; 30m when left out. A timeout that the script sets comes first.',
    ),
  idle: z
    .strictObject({
      afterSeconds: seconds().describe("Seconds without a step and without use of processors and GPUs."),
      action: z
        .enum(["warn", "checkpoint", "release"])
        .default("warn")
        .describe("warn: an event. checkpoint: ask for one, then stop. release: stop at once."),
    })
    .optional()
    .describe(
      "What becomes of a gang that holds slots and does nothing; a warning after 600 s when left out.",
    ),
};

/** The number of ranks, or the fewest and the most of an elastic gang. */
export const ranksField = z.union(
  [
    z.int().min(1).max(4096),
    z
      .strictObject({
        min: z.int().min(1).max(4096).describe("Fewest ranks."),
        max: z.int().min(1).max(4096).describe("Most ranks."),
      })
      .refine(({ min, max }) => min <= max, { message: "expected min to be at most max" }),
  ],
  { error: "expected a whole number from 1 to 4096, or min and max of an elastic gang" },
);
