/** YAML files that people write (jobs, contracts, suites), read against a schema, with the place of each mistake. */
export { nearestName } from "./nearest-name.ts";
export { maxYamlBytes, maxYamlDepth, type ParseYamlOptions, parseYaml } from "./parse-yaml.ts";
export { formatProblem, type YamlProblem } from "./problem.ts";
