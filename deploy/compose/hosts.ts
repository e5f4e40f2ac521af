import { type Hosts, serviceNames } from "@trainyard/local";

/** In docker-compose.yml every part is reached under the name of its container. */
export const composeHosts: Hosts = Object.fromEntries(
  [...serviceNames, "nats", "mongod"].map((name) => [name, name]),
);

/** The node that the compose file's one agent is. */
export const composeNodeId = "agent-1";
