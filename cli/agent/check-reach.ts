import { readFileSync } from "node:fs";
import { connectBus } from "@trainyard/bus";
import { DomainError } from "@trainyard/domain";
import { createLogger } from "@trainyard/telemetry";
import { checkBlobs } from "./check-blobs.ts";

const HTTP_TIMEOUT_MS = 5_000;

/** The parts of the platform that an agent talks to. */
export interface Reach {
  readonly busUrl: string;
  readonly seedFile: string;
  readonly trackingUrl: string;
  readonly schedulerUrl: string;
  readonly blobUrl: string;
  /** A blob that the platform has just put into its store. */
  readonly probeDigest: string;
}

/** Throws, naming the part and what to do, unless this machine reaches all that its agent needs. */
export async function checkReach({
  busUrl,
  seedFile,
  trackingUrl,
  schedulerUrl,
  blobUrl,
  probeDigest,
}: Reach): Promise<void> {
  await checkService("tracking", trackingUrl);
  await checkService("scheduler", schedulerUrl);
  await checkBus(busUrl, seedFile);
  await checkBlobs(blobUrl, probeDigest);
}

async function checkService(name: "tracking" | "scheduler", url: string): Promise<void> {
  try {
    const answer = await fetch(`${url}/healthz`, { signal: AbortSignal.timeout(HTTP_TIMEOUT_MS) });
    if (!answer.ok) throw new Error(`it answered ${answer.status}`);
  } catch (cause) {
    throw unreachable(`${name.toUpperCase()}_UNREACHABLE`, `the ${name} service at ${url}`, cause);
  }
}

async function checkBus(url: string, seedFile: string): Promise<void> {
  const logger = createLogger({ service: "join", level: "silent" });
  try {
    const seed = readFileSync(seedFile, "utf8");
    const bus = await connectBus({ servers: url, name: "join", seed, logger });
    await bus.nc.flush();
    await bus.close();
  } catch (cause) {
    throw unreachable("BUS_UNREACHABLE", `the bus at ${url}`, cause);
  }
}

function unreachable(reason: string, what: string, cause: unknown): DomainError {
  const why = cause instanceof Error ? cause.message : String(cause);
  const message = `From this machine ${what} cannot be reached: ${why}. Start the platform with --listen and an address of its machine that this one reaches, and open its port.`;
  return new DomainError("unavailable", reason, message, { cause });
}
