/** The registry service: what is champion, who said so, and how to go back. */
export { build } from "./app.ts";
export { parseRegistryConfig, type RegistryConfig } from "./config.ts";
