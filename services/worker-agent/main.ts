/** Runs the worker agent as a process of its own, configured by the environment; see README.md. */
import { bundleOf } from "@trainyard/bundle";

await import(bundleOf("services/worker-agent/start.ts") ?? "./start.ts");
