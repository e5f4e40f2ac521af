/**
 * Writes all that the containers of docker-compose.yml read: secrets, public keys, the bus's configuration with its users,
 * the database's key file, the agent's own folder, and the folder given as its argument, which is a bucket of the S3 server. Idempotent: what is there stays as it is.
 */
import { mkdirSync } from "node:fs";
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
const bucketDir = process.argv[2];
if (bucketDir !== undefined) mkdirSync(bucketDir, { recursive: true });
process.stdout.write(`prepared ${platform.dir} and ${agentDir}\n`);
