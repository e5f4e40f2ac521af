/** The dataset service as a module: for whoever runs all services in one process, and for tools that know contracts. */
export { build, type DatasetApp, type DatasetDeps } from "./app.ts";
export { type DatasetConfig, datasetConfigSchema, parseDatasetConfig } from "./config.ts";
export { contractSchema } from "./contract/contract-schema.ts";
export { parseContract } from "./contract/parse-contract.ts";
