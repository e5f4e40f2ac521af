import { execFileSync } from "node:child_process";
import { randomBytes, randomInt } from "node:crypto";
import { networkInterfaces } from "node:os";
import { atFileEnd } from "./cleanup.ts";

/** A machine of a test network: a network namespace with an address of its own, and nothing of this machine's but files. */
export interface NetworkNode {
  readonly address: string;
  /** What a command line is prefixed with to run there. */
  readonly prefix: readonly string[];
  /** Pulls its cable: nothing gets in or out, and no one is told. */
  cut(): void;
  /** Puts it back. */
  heal(): void;
  /** Cuts it off from one other node only, both ways; both still reach the host. */
  cutFrom(other: NetworkNode): void;
  healFrom(other: NetworkNode): void;
}

/** A bridge on this machine and the nodes on it. */
export interface TestNetwork {
  /** This machine's address on the bridge, for servers that the nodes shall reach. */
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

/**
 * Lays a bridge with this many nodes, each in a network namespace, gone when the test file ends. Real addresses and real
 * links: what is tested here meets the kernel's own network stack, but no delay and no loss.
 */
export function testNetwork(count: number): TestNetwork {
  const id = randomBytes(3).toString("hex");
  const network = freeNetwork();
  const hostAddress = `${network}.1`;
  const bridge = `ty${id}`;
  ip("link", "add", bridge, "type", "bridge");
  atFileEnd(async () => ip("link", "del", bridge));
  ip("addr", "add", `${hostAddress}/24`, "dev", bridge);
  ip("link", "set", bridge, "up");
  const nodes = Array.from({ length: count }, (_, index) =>
    addNode({ bridge, index, address: `${network}.${index + 2}` }),
  );
  return { hostAddress, nodes };
}

function addNode(options: { readonly bridge: string; readonly index: number; readonly address: string }) {
  const { bridge, index, address } = options;
  const space = `${bridge}-${index}`;
  const cable = `${bridge}h${index}`;
  const inside = (...words: readonly string[]) => ip("-netns", space, ...words);
  ip("netns", "add", space);
  // The cable goes with the namespace that one of its ends is in.
  atFileEnd(async () => ip("netns", "del", space));
  ip("link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", space);
  ip("link", "set", cable, "master", bridge, "up");
  inside("addr", "add", `${address}/24`, "dev", "eth0");
  inside("link", "set", "lo", "up");
  inside("link", "set", "eth0", "up");
  const node: NetworkNode = {
    address,
    prefix: ["ip", "netns", "exec", space],
    cut: () => ip("link", "set", cable, "down"),
    heal: () => ip("link", "set", cable, "up"),
    cutFrom(other) {
      inside("route", "add", "blackhole", other.address);
      ip("-netns", spaceOf(other), "route", "add", "blackhole", address);
    },
    healFrom(other) {
      inside("route", "del", "blackhole", other.address);
      ip("-netns", spaceOf(other), "route", "del", "blackhole", address);
    },
  };
  return node;
}

/** The namespace of a node: the last word of its prefix. */
function spaceOf({ prefix }: NetworkNode): string {
  return prefix.at(-1) ?? "";
}
