import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { checkoutRoot } from "../checkout.ts";
import {
  differences,
  eventCatalogueFile,
  generateCode,
  generatedFolder,
} from "../generated/generated-code.ts";
import type { Check } from "./check.ts";

/** Whether what is derived from the protos and schemas is what is committed. */
export const generatedCheck: Check = {
  name: "generated",
  title: "generated code, docs/EVENTS.md and docs/schema are up to date",
  run: async () => {
    const folder = mkdtempSync(join(tmpdir(), "trainyard-generated-"));
    try {
      generateCode(folder);
      const stale = differences(join(checkoutRoot, generatedFolder), join(folder, generatedFolder));
      // Loaded here and not above: broken generated code is this check's failure and not the runner's.
      const { renderEventCatalogue } = await import("../generated/event-catalogue.ts");
      const catalogue = readFileSync(join(checkoutRoot, eventCatalogueFile), "utf8");
      if (catalogue !== renderEventCatalogue()) stale.push(`${eventCatalogueFile}: stale`);
      const { renderJsonSchemas } = await import("../../cli/json-schema.ts");
      for (const [path, text] of renderJsonSchemas()) {
        const file = join(checkoutRoot, path);
        if (!existsSync(file) || readFileSync(file, "utf8") !== text) stale.push(`${path}: stale`);
      }
      if (stale.length === 0) return { passed: 1, failed: 0, output: "" };
      return {
        passed: 0,
        failed: 1,
        output: `${stale.join("\n")}\nRun \`npm run generate\` and commit what it changes.`,
      };
    } catch (error) {
      return { passed: 0, failed: 1, output: String(error) };
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
};
