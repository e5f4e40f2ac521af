import { z } from "zod";

/** What the records of an offline run say besides numbers. */
const record = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("params"), params: z.record(z.string(), z.json()) }),
  z.object({ kind: z.literal("tags"), tags: z.record(z.string(), z.string()) }),
  z.object({
    kind: z.literal("note"),
    text: z.string(),
    at: z.number(),
    step: z.int().optional(),
    key: z.string().default(""),
  }),
  z.object({ kind: z.literal("environment"), environment: z.record(z.string(), z.json()) }),
  z.object({ kind: z.literal("artifact"), path: z.string(), file: z.string() }),
  z.object({ kind: z.literal("model"), name: z.string(), dir: z.string() }),
  z.object({
    kind: z.literal("end"),
    status: z.enum(["completed", "failed", "killed"]),
    at: z.number(),
    message: z.string().default(""),
  }),
]);

export type LocalRecord = z.infer<typeof record>;

/** Kinds that tell nothing that is sent: checkpoints stay where they are. */
const silent = new Set(["first_step", "checkpoint"]);

/** Reads the JSON of a record; "silent" for one that asks for nothing, undefined for one that is not understood. */
export function parseLocalRecord(json: string): LocalRecord | "silent" | undefined {
  try {
    const value: unknown = JSON.parse(json);
    if (typeof value === "object" && value !== null && "kind" in value && silent.has(String(value.kind)))
      return "silent";
    return record.safeParse(value).data;
  } catch {
    return undefined;
  }
}

/** Parameters as the platform keeps them: a text as it is, anything else as JSON. */
export function paramsAsText(params: Readonly<Record<string, unknown>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(params).map(([key, value]) => [
      key,
      typeof value === "string" ? value : JSON.stringify(value),
    ]),
  );
}
