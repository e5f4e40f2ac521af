import { DomainError } from "@trainyard/domain";
import { isPortFree, type PortName, type Ports } from "@trainyard/local";

/** Checked by their own start, which first ends what a killed platform left behind on them. */
const ofServers: readonly PortName[] = ["nats", "mongod"];

/** Throws PORT_TAKEN naming every port that another program has, and what to do. */
export async function assertPortsFree(ports: Ports, host: string): Promise<void> {
  const names = (Object.keys(ports) as PortName[]).filter((name) => !ofServers.includes(name));
  const checked = await Promise.all(
    names.map(async (name) => ({ name, free: await isPortFree(ports[name], host) })),
  );
  const taken = checked.filter(({ free }) => !free).map(({ name }) => `${ports[name]} (${name})`);
  if (taken.length === 0) return;
  throw new DomainError(
    "failed_precondition",
    "PORT_TAKEN",
    `another program listens on ${host} port ${taken.join(", ")}: end it, or start with --port-base N or --ports free`,
  );
}
