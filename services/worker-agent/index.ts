/** The agent of one node, to be run in a process of its own or within another. */
export { build, type Deps } from "./app.ts";
export { type Config, parseAgentConfig } from "./config.ts";
export { BusLink } from "./heartbeat/bus-link.ts";
export { askLauncher } from "./launcher/ask-launcher.ts";
export { type LauncherRecord, readLauncherRecord } from "./launcher/launcher-record.ts";
export { TelemetryBundler } from "./telemetry/bundler.ts";
export { MetricPump } from "./telemetry/metric-pump.ts";
export { TelemetryPublisher } from "./telemetry/publisher.ts";
