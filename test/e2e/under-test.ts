import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Client } from "@connectrpc/connect";
import { gateway } from "@trainyard/contracts";
import { rpcClient } from "@trainyard/service";
import { type FlowClients, flowClients } from "../flow/clients.ts";
import { type Fleet, type FleetOptions, startFleet } from "../flow/fleet.ts";

/** A running platform with what the cases call it by. */
export interface UnderTest {
  readonly fleet: Fleet;
  /** The gateway. */
  readonly url: string;
  /** For whatever a case writes; gone afterwards. */
  readonly dir: string;
  readonly user: FlowClients;
  readonly approver: FlowClients;
  readonly tokens: Client<typeof gateway.TokenService>;
  clientsOf(secret: string): FlowClients;
  stop(): Promise<void>;
}

/** Starts a platform of two slots on one node. */
export async function startUnderTest(
  options: (dir: string) => Omit<FleetOptions, "dir"> = () => ({}),
): Promise<UnderTest> {
  const dir = mkdtempSync(join(tmpdir(), "trainyard-e2e-"));
  const fleet = await startFleet({ dir, ...options(dir) });
  const url = fleet.platform.url("gateway");
  const clientsOf = (secret: string) => flowClients(url, secret);
  return {
    fleet,
    url,
    dir,
    user: clientsOf(fleet.tokens.submitter),
    approver: clientsOf(fleet.tokens.approver),
    tokens: rpcClient(gateway.TokenService, url, { token: async () => fleet.tokens.admin }),
    clientsOf,
    async stop() {
      await fleet.stop();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
