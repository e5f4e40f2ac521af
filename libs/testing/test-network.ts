import { execFileSync } from "node:child_process";
import { randomBytes, randomInt } from "node:crypto";
import { networkInterfaces } from "node:os";
import { atFileEnd } from "./cleanup.ts";

/** A machine of a test network: a network namespace with an address of its own, and nothing of this machine's but files. */
export interface NetworkNode {
  /** Its address on the first bridge, by its interface `eth0`. */
  readonly address: string;
  /** Its addresses, those of `eth0`, `eth1` and so on. */
  readonly addresses: readonly string[];
  /** What a command line is prefixed with to run there. */
  readonly prefix: readonly string[];
  /** Pulls its cables: nothing gets in or out, and no one is told. */
  cut(): void;
  /** Puts them back. */
  heal(): void;
  /** Cuts it off from one other node only, both ways, on the first bridge; both still reach the host. */
  cutFrom(other: NetworkNode): void;
  healFrom(other: NetworkNode): void;
}

/** One or more bridges on this machine and the nodes on them. */
export interface TestNetwork {
  /** This machine's address on the first bridge, for servers that the nodes shall reach. */
  readonly hostAddress: string;
  readonly nodes: readonly NetworkNode[];
}

/** Runs `ip` (iproute2), the one program that this takes. */
function ip(...words: readonly string[]): void {
  try {
    execFileSync("ip", words, { stdio: ["ignore", "ignore", "pipe"] });
  } catch (cause) {
    throw new Error(
      `\`ip ${words.join(" ")}\` failed: network namespaces take root (or \`unshare --user --map-root-user --net\`) and iproute2`,
      { cause },
    );
  }
}

/** The second and third byte of a network that this machine is not in. */
function freeNetwork(): string {
  const used = new Set(
    Object.values(networkInterfaces()).flatMap((all) =>
      (all ?? []).map(({ address }) => address.split(".").slice(0, 3).join(".")),
    ),
  );
  for (;;) {
    const network = `10.${randomInt(64, 128)}.${randomInt(0, 256)}`;
    if (!used.has(network)) return network;
  }
}

/** A bridge that is laid, and the first three bytes of its network. */
interface Bridge {
  readonly name: string;
  readonly network: string;
}

/**
 * Lays a bridge with this many nodes, each in a network namespace, gone when the test file ends; with more interfaces, as
 * many bridges, each node on all of them. Real addresses and real links: what is tested here meets the kernel's own network
 * stack, but no delay and no loss.
 */
export function testNetwork(count: number, interfaces = 1): TestNetwork {
  const id = randomBytes(3).toString("hex");
  const bridges = Array.from({ length: interfaces }, (_, index) => layBridge(`ty${id}${index || ""}`));
  const nodes = Array.from({ length: count }, (_, index) => addNode(`ty${id}-${index}`, index, bridges));
  return { hostAddress: `${bridges[0]?.network}.1`, nodes };
}

function layBridge(name: string): Bridge {
  const network = freeNetwork();
  ip("link", "add", name, "type", "bridge");
  atFileEnd(async () => ip("link", "del", name));
  ip("addr", "add", `${network}.1/24`, "dev", name);
  ip("link", "set", name, "up");
  return { name, network };
}

function addNode(space: string, index: number, bridges: readonly Bridge[]): NetworkNode {
  const inside = (...words: readonly string[]) => ip("-netns", space, ...words);
  ip("netns", "add", space);
  // The cables go with the namespace that one of their ends is in.
  atFileEnd(async () => ip("netns", "del", space));
  inside("link", "set", "lo", "up");
  const cables = bridges.map(({ name }) => `${name}h${index}`);
  const addresses = bridges.map(({ network }) => `${network}.${index + 2}`);
  for (const [number, { name }] of bridges.entries()) {
    const cable = cables[number] ?? "";
    ip("link", "add", cable, "type", "veth", "peer", "name", `eth${number}`, "netns", space);
    ip("link", "set", cable, "master", name, "up");
    inside("addr", "add", `${addresses[number]}/24`, "dev", `eth${number}`);
    inside("link", "set", `eth${number}`, "up");
  }
  const setCables = (state: "up" | "down") => {
    for (const cable of cables) ip("link", "set", cable, state);
  };
  const address = addresses[0] ?? "";
  return {
    address,
    addresses,
    prefix: ["ip", "netns", "exec", space],
    cut: () => setCables("down"),
    heal: () => setCables("up"),
    cutFrom(other) {
      inside("route", "add", "blackhole", other.address);
      ip("-netns", spaceOf(other), "route", "add", "blackhole", address);
    },
    healFrom(other) {
      inside("route", "del", "blackhole", other.address);
      ip("-netns", spaceOf(other), "route", "del", "blackhole", address);
    },
  };
}

/** The namespace of a node: the last word of its prefix. */
function spaceOf({ prefix }: NetworkNode): string {
  return prefix.at(-1) ?? "";
}
