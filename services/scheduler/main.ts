/** Runs scheduler as a process of its own, configured by the environment; see README.md. */
import { bundleOf } from "@trainyard/bundle";

await import(bundleOf("services/scheduler/start.ts") ?? "./start.ts");
