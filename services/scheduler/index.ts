/** The scheduler as a module: for whoever runs all services in one process, and for tests. */
export { build, type Deps, type SchedulerApp } from "./app.ts";
export { type Config, parseSchedulerConfig } from "./config.ts";
