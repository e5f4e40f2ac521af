import { z } from "zod";
import { byteSizeField } from "./byte-size.ts";
import { duration } from "./duration.ts";
import { failureFields, ranksField } from "./failure-fields.ts";

/** The name rule of jobs, queues, datasets and models: what the services accept, told early. */
const name = z
  .string()
  .regex(
    /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/,
    "expected 1 to 128 of a-z A-Z 0-9 . _ -, not beginning with . or -",
  );

const scalar = z.union([z.string(), z.number(), z.boolean(), z.null()]);

/**
 * A TrainingJob file. Every field but `name` and `entrypoint` has a default; the descriptions end up in the published
 * JSON Schema, where editors show them.
 */
export const jobSchema = z.strictObject({
  apiVersion: z.literal("trainyard/v1").default("trainyard/v1").describe("Version of this file format."),
  kind: z.literal("TrainingJob").default("TrainingJob").describe("What this file is."),
  name: name.describe("Name of the job; need not be unique."),
  queue: name.default("default").describe("The queue it waits in."),
  priority: z
    .enum(["low", "normal", "high"])
    .default("normal")
    .describe("Priority class; higher classes start first."),
  experiment: name.optional().describe("Experiment its run belongs to; the job's name when left out."),
  framework: z
    .enum(["torch", "process", "tensorflow"])
    .default("torch")
    .describe(
      "torch: PyTorch ranks with the torchrun environment. process: a plain program. tensorflow: workers with TF_CONFIG.",
    ),
  start: z
    .enum(["warm", "cold"])
    .default("warm")
    .describe(
      "warm: ranks are forked from a process that has imported torch, where that can be. cold: each starts an interpreter.",
    ),
  python: z
    .strictObject({
      interpreter: z
        .string()
        .regex(/^\//, "expected an absolute path")
        .optional()
        .describe("Interpreter on the nodes; their own when left out."),
      requirements: z
        .string()
        .regex(
          /(^|\/)(pyproject\.toml|uv\.lock|[^/]+\.txt)$/,
          "expected a .txt file, a pyproject.toml or a uv.lock",
        )
        .optional()
        .describe(
          "File in the code folder that lists what to install: requirements.txt, pyproject.toml or uv.lock.",
        ),
      isolated: z
        .boolean()
        .default(false)
        .describe("Hide the packages of the interpreter's own environment, torch among the nodes'."),
    })
    .refine(({ interpreter, requirements }) => (interpreter ?? requirements) !== undefined, {
      message: "expected interpreter, or requirements, or both",
    })
    .optional()
    .describe("The Python of the ranks, where it is not simply the nodes' own."),
  ranks: ranksField
    .optional()
    .describe(
      "Processes of the gang; they start together or not at all. {min, max}: as many as fit, fewer after a node is lost, and more again later. Left out: what nnodes or mesh make it, else 1.",
    ),
  nnodes: z
    .int()
    .min(1)
    .max(4096)
    .optional()
    .describe("Spread the gang over exactly so many nodes, nprocPerNode ranks on each, as torchrun does."),
  nprocPerNode: z
    .int()
    .min(1)
    .max(4096)
    .optional()
    .describe("Ranks on each node; 1 when only nnodes is given."),
  mesh: z
    .strictObject({
      data: z.int().min(1).max(4096).default(1).describe("Replicas."),
      tensor: z
        .int()
        .min(1)
        .max(4096)
        .default(1)
        .describe("Ranks that share each layer; placed on one node."),
      pipeline: z.int().min(1).max(4096).default(1).describe("Stages."),
    })
    .optional()
    .describe("Axes of the gang's parallelism; their product is the number of ranks."),
  slotsPerRank: z
    .int()
    .min(1)
    .max(64)
    .default(1)
    .describe("Slots (GPUs, or CPU shares) each rank occupies on one node."),
  slotKind: z
    .string()
    .regex(/^[a-z][a-z0-9-]{0,31}$/, 'expected "gpu", "cpu", or the word that nodes declare, such as "tpu"')
    .optional()
    .describe(
      "Only nodes whose slots are of this kind: gpu, cpu, or the word that nodes declare; any when left out.",
    ),
  code: z
    .string()
    .default(".")
    .describe(
      "Folder with the code, relative to this file; .gitignore is respected. Packed and uploaded at submission.",
    ),
  entrypoint: z
    .array(z.union([z.string(), z.number()]).transform(String))
    .min(1, "expected a script and its arguments, such as [train.py, --epochs, 3]")
    .describe(
      "Script and arguments, the script relative to the code folder; [-m, package.module] runs a module, [--no-python, ./program] any program.",
    ),
  params: z
    .record(z.string(), z.json())
    .default({})
    .describe("Hyperparameters: recorded on the run, given to the ranks."),
  env: z
    .record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, "expected a name of letters, digits and _"), scalar)
    .default({})
    .describe("Extra environment variables of the ranks."),
  secrets: z
    .array(
      z
        .strictObject({
          name: name.describe("Name of the secret, as `trainyard secrets set` was told."),
          env: z
            .string()
            .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, "expected a name of letters, digits and _")
            .optional()
            .describe("Variable that holds its value."),
          file: name.optional().describe("File in the folder TRAINYARD_SECRETS_DIR that holds its value."),
        })
        .refine(({ env, file }) => env !== undefined || file !== undefined, "expected env, file, or both"),
    )
    .max(64)
    .default([])
    .describe("Secrets that the ranks are given; what they print of one is shown as asterisks."),
  limits: z
    .strictObject({
      memory: byteSizeField().optional().describe("Memory, such as 8GiB; a rank that needs more fails."),
      processes: z.int().min(8).max(4_194_304).optional().describe("Processes and threads."),
      openFiles: z.int().min(64).max(1_048_576).optional().describe("Open files of one process."),
    })
    .optional()
    .describe(
      "What each rank, with the processes that it starts, may use of its node; no limit when left out.",
    ),
  workFolder: z
    .enum(["shared", "per-rank"])
    .default("shared")
    .describe(
      "shared: the ranks of a node start in one folder, as under torchrun. per-rank: each has its own copy of the code.",
    ),
  dataset: z
    .strictObject({
      name: name.describe("Name of the dataset."),
      version: z.string().default("latest").describe('Semantic version, or "latest".'),
      schemaHash: z
        .string()
        .regex(/^[0-9a-f]{64}$/, "expected 64 hex digits")
        .optional()
        .describe("Refuse the job unless the version has this schema hash."),
    })
    .optional()
    .describe("Dataset version to train on."),
  data: z
    .strictObject({
      paths: z
        .array(z.string().max(4096).regex(/^\//, "expected an absolute path"))
        .min(1)
        .max(32)
        .describe("Absolute paths on the nodes, in folders that they allow."),
    })
    .optional()
    .describe(
      "Data that is no dataset, read where it lies. Nothing records what is in it: models trained on it are promoted only after `trainyard models waive`.",
    ),
  checkpoint: z
    .strictObject({
      everySteps: z.int().min(0).default(0).describe("Every so many steps; 0: not by steps."),
      every: duration
        .optional()
        .describe('Every so long, such as "15m" or "2h"; 0: not by time. 15m unless everySteps is given.'),
      best: z
        .strictObject({
          metric: z.string().min(1).max(512).describe("Metric that rank 0 logs."),
          mode: z.enum(["min", "max"]).default("min").describe("Which value is better."),
          keep: z.int().min(1).max(1000).default(1).describe("Keep the best so many besides the newest."),
        })
        .optional()
        .describe("Also when this metric is better than at any checkpoint before."),
      keep: z.int().min(1).max(1000).default(3).describe("Keep the newest so many."),
      stream: z
        .boolean()
        .default(false)
        .describe("Send checkpoints to the blob store without a copy on the node's disk."),
    })
    .prefault({})
    .describe("When to checkpoint (all that is said adds up) and what to keep."),
  retries: z.int().min(0).max(100).default(3).describe("How often a failure of your own code is retried."),
  seed: z.int().default(0).describe("Seed of every random generator in the ranks."),
  deterministic: z
    .boolean()
    .default(true)
    .describe(
      "Have libraries choose algorithms that repeat to the bit; false where the speed of others counts for more.",
    ),
  ...failureFields,
  timeoutSeconds: z.int().min(0).default(0).describe("Stop and fail after this long; 0 means no limit."),
  model: z
    .strictObject({
      name: name.describe("Registered model that the trained model becomes a version of."),
      suite: name.optional().describe("Evaluation suite that decides over the version."),
    })
    .optional()
    .describe("What the trained model becomes."),
  labels: z.record(z.string(), z.string()).default({}).describe("Free labels for people and tools."),
});

/** A TrainingJob file after validation, with every default filled in. */
export type JobFile = z.output<typeof jobSchema>;
