import type { NetworkInterfaceInfo } from "node:os";

/** Where the ranks of this node meet those of others. */
export interface RendezvousPlace {
  /** The address under which the other nodes' ranks reach this one's. */
  readonly address: string;
  /** The network interface that has it; absent when it is a name, or no interface of this machine has it. */
  readonly interface?: string;
}

/** What the machine's operator has said about it. */
export interface RendezvousSettings {
  /** Where other nodes reach this one at all. */
  readonly address: string;
  readonly rendezvousAddress?: string | undefined;
  readonly rendezvousInterface?: string | undefined;
}

type Interfaces = Readonly<Record<string, readonly NetworkInterfaceInfo[] | undefined>>;

/**
 * Which address, and so which network, the ranks of gangs on several nodes use: the address that is given, that of the
 * interface that is given, else the node's own. Throws when the interface is not there or has no address.
 */
export function rendezvousPlace(settings: RendezvousSettings, interfaces: Interfaces): RendezvousPlace {
  const { rendezvousInterface: name } = settings;
  const address =
    settings.rendezvousAddress ?? (name === undefined ? settings.address : addressOf(name, interfaces));
  const found = name ?? interfaceOf(address, interfaces);
  return found === undefined ? { address } : { address, interface: found };
}

function addressOf(name: string, interfaces: Interfaces): string {
  const addresses = interfaces[name] ?? [];
  // A link-local address is no use without the name of the link, which differs from machine to machine.
  const usable = addresses.filter(({ family, scopeid }) => family === "IPv4" || !scopeid);
  const chosen = usable.find(({ family }) => family === "IPv4") ?? usable[0];
  if (chosen !== undefined) return chosen.address;
  const known = Object.keys(interfaces).join(", ");
  throw new Error(
    `TRAINYARD_RENDEZVOUS_INTERFACE is ${JSON.stringify(name)}, which has no address on this machine; there are: ${known}`,
  );
}

function interfaceOf(address: string, interfaces: Interfaces): string | undefined {
  const found = Object.entries(interfaces).find(([, all]) => all?.some((one) => one.address === address));
  return found?.[0];
}
