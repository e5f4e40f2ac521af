/**
 * Writes all that the containers of docker-compose.yml read: secrets, public keys, the bus's configuration with its users,
 * the database's key file, and the agent's own folder. Idempotent: what is there stays as it is.
 */
import { preparePlatform } from "@trainyard/local";
import { stateDir } from "../state-dir.ts";
import { writeAgentFiles } from "./agent-files.ts";
import { composeHosts, composeNodeId } from "./hosts.ts";

const agentDir = process.env.TRAINYARD_AGENT_DIR;
if (agentDir === undefined || agentDir === "") {
  process.stderr.write("TRAINYARD_AGENT_DIR is not set: it names the folder that becomes the agent's own\n");
  process.exit(2);
}

const platform = await preparePlatform(stateDir(), { hosts: composeHosts, listenHost: "0.0.0.0" });
await platform.addAgent(composeNodeId);
await platform.writeServerFiles();
writeAgentFiles(platform, composeNodeId, agentDir);
process.stdout.write(`prepared ${platform.dir} and ${agentDir}\n`);
