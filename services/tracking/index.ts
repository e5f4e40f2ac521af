/** Tracking as a module, for whoever runs several services in one process. */
export { build, type TrackingApp } from "./app.ts";
export { parseTrackingConfig, type TrackingConfig } from "./config.ts";
