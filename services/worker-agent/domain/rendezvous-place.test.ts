import type { NetworkInterfaceInfo } from "node:os";
import { describe, expect, it } from "vitest";
import { rendezvousPlace } from "./rendezvous-place.ts";

const at = (address: string, more: Partial<NetworkInterfaceInfo> = {}) =>
  ({
    address,
    family: address.includes(":") ? "IPv6" : "IPv4",
    netmask: "",
    mac: "",
    internal: false,
    cidr: null,
    ...more,
  }) as NetworkInterfaceInfo;
const interfaces = {
  lo: [at("127.0.0.1")],
  eth0: [at("10.0.0.5"), at("fe80::1", { scopeid: 2 })],
  ib0: [at("fd00::7"), at("192.168.9.5")],
};

describe("the place where ranks of several nodes meet", () => {
  it.each([
    ["the node's own address, on the interface that has it", {}, { address: "10.0.0.5", interface: "eth0" }],
    [
      "the address that is given",
      { rendezvousAddress: "192.168.9.5" },
      { address: "192.168.9.5", interface: "ib0" },
    ],
    [
      "the interface that is given, IPv4 first",
      { rendezvousInterface: "ib0" },
      { address: "192.168.9.5", interface: "ib0" },
    ],
    ["a name, with no interface known", { rendezvousAddress: "gpu7" }, { address: "gpu7" }],
    [
      "an address that another machine translates, on the interface that is given",
      { rendezvousAddress: "203.0.113.1", rendezvousInterface: "eth0" },
      { address: "203.0.113.1", interface: "eth0" },
    ],
  ])("is %s", (_what, settings, place) => {
    expect(rendezvousPlace({ address: "10.0.0.5", ...settings }, interfaces)).toEqual(place);
  });

  it("cannot be an interface that is not there", () => {
    expect(() => rendezvousPlace({ address: "a", rendezvousInterface: "ib1" }, interfaces)).toThrow(
      'is "ib1", which has no address on this machine; there are: lo, eth0, ib0',
    );
  });
});
