/** The agent of one node, to be run in a process of its own or within another. */
export { build, type Deps } from "./app.ts";
export { type Config, parseAgentConfig } from "./config.ts";
