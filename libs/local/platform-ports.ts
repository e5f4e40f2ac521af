import { join } from "node:path";
import { freePort } from "./free-port.ts";
import { readIfExists, writeFileWhole } from "./private-file.ts";
import { defaultPorts, type Hosts, type PortName, type Ports } from "./service-names.ts";

/** Which ports a platform is to have: the well-known ones, ones that nothing listens on, or some of them given. */
export type WantedPorts = "default" | "free" | Partial<Ports>;

/** The folder's host names, kept in `hosts.json`: given now, else given before, else none. */
export function decideHosts(dir: string, wanted: Hosts | undefined): Hosts {
  const file = join(dir, "hosts.json");
  if (wanted !== undefined) writeFileWhole(file, `${JSON.stringify(wanted, undefined, 2)}\n`);
  // Written just above only.
  return JSON.parse(readIfExists(file) ?? "{}") as Hosts;
}

const portNames = Object.keys(defaultPorts) as readonly PortName[];

/** The folder's ports, kept in `ports.json`: given now, else chosen before, else chosen now. */
export async function decidePorts(dir: string, wanted: WantedPorts | undefined): Promise<Ports> {
  const file = join(dir, "ports.json");
  const text = readIfExists(file);
  // Written below only.
  const known = text === undefined ? {} : (JSON.parse(text) as Partial<Ports>);
  const given = typeof wanted === "object" ? wanted : {};
  const choose = async (name: PortName) =>
    given[name] ?? known[name] ?? (wanted === "free" ? await freePort() : defaultPorts[name]);
  const entries: [PortName, number][] = [];
  for (const name of portNames) entries.push([name, await choose(name)]);
  // Every PortName was put in just above.
  const ports = Object.fromEntries(entries) as Record<PortName, number>;
  writeFileWhole(file, `${JSON.stringify(ports, undefined, 2)}\n`);
  return ports;
}
