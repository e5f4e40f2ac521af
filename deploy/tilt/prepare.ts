/** Makes the state folder of `tilt up`, on this machine's loopback, with one agent. Idempotent. */
import { preparePlatform } from "@trainyard/local";
import { stateDir } from "../state-dir.ts";

const platform = await preparePlatform(stateDir());
if (platform.agents.length === 0) await platform.addAgent("agent-1");
process.stdout.write(`prepared ${platform.dir}\n`);
