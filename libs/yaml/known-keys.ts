import { z } from "zod";

/** The field names that a schema takes at a path, or none where it takes any. Unions give the names of all their members. */
export function knownKeys(schema: z.ZodType, path: readonly PropertyKey[]): readonly string[] {
  const root: unknown = z.toJSONSchema(schema, { io: "input", unrepresentable: "any", reused: "inline" });
  let nodes = members(root);
  for (const key of path) {
    nodes = nodes.flatMap((node) =>
      members(
        typeof key === "number"
          ? node.items
          : (record(node.properties)?.[String(key)] ?? node.additionalProperties),
      ),
    );
  }
  return [...new Set(nodes.flatMap((node) => Object.keys(record(node.properties) ?? {})))];
}

type Json = Readonly<Record<string, unknown>>;

function record(value: unknown): Json | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : undefined;
}

/** A JSON Schema node, or the members of its union. */
function members(value: unknown): readonly Json[] {
  const node = record(value);
  if (node === undefined) return [];
  const union = node.anyOf ?? node.oneOf ?? node.allOf;
  return Array.isArray(union) ? union.flatMap(members) : [node];
}
