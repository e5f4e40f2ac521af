/** `npm run generate`: makes everything that is derived: from the protos the TypeScript code and docs/EVENTS.md; and from the schemas of job files and the like: docs/schema. */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { checkoutRoot } from "./checkout.ts";
import { eventCatalogueFile, generateCode, generatedFolder } from "./generated/generated-code.ts";

generateCode(checkoutRoot);
console.log(`wrote ${generatedFolder}`);
// Only now: the catalogue reads the code that was just generated.
const { renderEventCatalogue } = await import("./generated/event-catalogue.ts");
writeFileSync(join(checkoutRoot, eventCatalogueFile), renderEventCatalogue());
console.log(`wrote ${eventCatalogueFile}`);

const { renderJsonSchemas } = await import("../cli/json-schema.ts");
for (const [path, text] of renderJsonSchemas()) {
  mkdirSync(dirname(join(checkoutRoot, path)), { recursive: true });
  writeFileSync(join(checkoutRoot, path), text);
  console.log(`wrote ${path}`);
}
