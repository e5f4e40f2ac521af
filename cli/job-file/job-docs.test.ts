import { readFileSync } from "node:fs";
import { join } from "node:path";
import { checkoutRoot } from "@trainyard/local";
import { parseYaml } from "@trainyard/yaml";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { jobSchema } from "./job-schema.ts";

const text = readFileSync(join(checkoutRoot, "docs/jobs.md"), "utf8");

interface Part {
  readonly properties?: Readonly<Record<string, Part>>;
  readonly items?: Part;
  readonly anyOf?: readonly Part[];
}

/** Every field of the file, those of objects by their path. */
function fieldsOf(part: Part, path: string): readonly string[] {
  const inside = Object.entries(part.properties ?? {}).flatMap(([name, field]) =>
    fieldsOf(field, path === "" ? name : `${path}.${name}`),
  );
  const items = part.items === undefined ? [] : fieldsOf(part.items, `${path}[]`);
  const below = [...inside, ...(part.anyOf ?? []).flatMap((one) => fieldsOf(one, path)), ...items].filter(
    (found) => found !== path && found !== `${path}[]`,
  );
  return below.length > 0 ? below : [path];
}

describe("the page about job files", () => {
  it("names every field", () => {
    // What zod makes of the schema, read here by the three words above.
    const schema = z.toJSONSchema(jobSchema, { io: "input", unrepresentable: "any" }) as Part;
    expect(fieldsOf(schema, "").filter((field) => !text.includes(`\`${field}\``))).toEqual([]);
  });

  it("shows files that are right", () => {
    const files = [...text.matchAll(/```yaml\n([\s\S]*?)```/g)].map(([, source = ""]) => source);
    expect(files.length).toBeGreaterThan(2);
    for (const source of files)
      parseYaml(source, jobSchema, { fileName: "docs/jobs.md", reason: "JOB_INVALID" });
  });
});
