import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join as joinPath, resolve } from "node:path";
import { text as readAll } from "node:stream/consumers";
import type { gateway } from "@trainyard/contracts";
import { DomainError } from "@trainyard/domain";
import { checkoutRoot, findPython, findUv } from "@trainyard/local";
import { createClients } from "../client/clients.ts";
import { exitCodes } from "../exit-codes.ts";
import type { Session } from "../session.ts";
import { type AgentKeys, agentKeys, nameKey } from "./agent-keys.ts";
import { checkReach } from "./check-reach.ts";
import { reachableUrl } from "./reachable-url.ts";
import { runAgent, settingsFile } from "./run-agent.ts";

/** The options of `agent join`. */
export interface JoinFlags {
  readonly tokenFile?: string;
  readonly dir: string;
  readonly address?: string;
  readonly rendezvousInterface?: string;
  readonly slots?: number;
  readonly listenPort?: number;
  readonly start: boolean;
}

const CONNECT_TIMEOUT_MS = 5_000;
const DEFAULT_AGENT_PORT = 7079;

/** Makes this machine a node: keys here, the platform's word for them, its parts within reach, then the agent's settings. */
export async function join(session: Session, url: string, flags: JoinFlags): Promise<number> {
  const gatewayUrl = urlOf(url);
  const dir = resolve(flags.dir);
  const token = await joinToken(session, flags.tokenFile);
  // Before anything is asked of the platform: without them the token would be used up for nothing.
  const programs = { python: findPython(), uv: findUv() };
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const keys = agentKeys(dir);
  const address = flags.address ?? (await localAddress(gatewayUrl));
  const { joins } = createClients({ url: gatewayUrl });
  const answer = await joins.joinNode({ token, signingKey: keys.signingKey, busKey: keys.busKey });
  const busUrl = reachableUrl(answer.busUrl, gatewayUrl);
  const trackingUrl = reachableUrl(answer.trackingUrl, gatewayUrl);
  const schedulerUrl = reachableUrl(answer.schedulerUrl, gatewayUrl);
  const { blobUrl, probeDigest } = answer;
  await checkReach({ busUrl, trackingUrl, schedulerUrl, blobUrl, probeDigest, seedFile: keys.seedFile });
  nameKey(keys.keyFile, answer.nodeId);
  const settings = { ...flags, ...programs, dir, address, gatewayUrl, busUrl, trackingUrl, schedulerUrl };
  writeSettings(settings, keys, answer);
  session.print(
    session.json
      ? JSON.stringify({ nodeId: answer.nodeId, dir, settingsFile: settingsFile(dir), address })
      : `This machine is node ${answer.nodeId}, at ${address}; its agent's settings are in ${settingsFile(dir)}.`,
  );
  if (flags.start) return runAgent(dir);
  session.say(`Start it with: npx trainyard agent run --dir ${dir}`);
  return exitCodes.ok;
}

interface Settings extends JoinFlags {
  readonly address: string;
  readonly gatewayUrl: string;
  readonly busUrl: string;
  readonly trackingUrl: string;
  readonly schedulerUrl: string;
  readonly python: string;
  readonly uv: string | undefined;
}

function writeSettings(settings: Settings, keys: AgentKeys, answer: gateway.JoinNodeResponse): void {
  const { dir, slots, uv, rendezvousInterface } = settings;
  const jwksFile = joinPath(dir, "secrets/jwks.json");
  writeFileSync(jwksFile, answer.jwks, { mode: 0o600 });
  const env: Record<string, string> = {
    TRAINYARD_NODE_ID: answer.nodeId,
    TRAINYARD_AGENT_DIR: joinPath(dir, "work"),
    TRAINYARD_NATS_URL: settings.busUrl,
    TRAINYARD_NATS_SEED_FILE: keys.seedFile,
    TRAINYARD_TRACKING_URL: settings.trackingUrl,
    TRAINYARD_SCHEDULER_URL: settings.schedulerUrl,
    TRAINYARD_BLOB_URL: answer.blobUrl,
    TRAINYARD_GATEWAY_URL: settings.gatewayUrl,
    TRAINYARD_KEY_FILE: keys.keyFile,
    TRAINYARD_JWKS_FILE: jwksFile,
    TRAINYARD_PYTHON: settings.python,
    TRAINYARD_SDK_PATH: joinPath(checkoutRoot, "sdk/python"),
    TRAINYARD_ADDRESS: settings.address,
    TRAINYARD_LISTEN_PORT: String(settings.listenPort ?? DEFAULT_AGENT_PORT),
    ...(uv === undefined ? {} : { TRAINYARD_UV: uv }),
    ...(slots === undefined ? {} : { TRAINYARD_SLOTS: String(slots) }),
    ...(rendezvousInterface === undefined ? {} : { TRAINYARD_RENDEZVOUS_INTERFACE: rendezvousInterface }),
  };
  mkdirSync(joinPath(dir, "work"), { recursive: true, mode: 0o700 });
  const lines = Object.entries(env).map(([name, value]) => `${name}=${JSON.stringify(value)}\n`);
  writeFileSync(settingsFile(dir), lines.join(""), { mode: 0o600 });
}

async function joinToken(session: Session, file: string | undefined): Promise<string> {
  // --token is an option of every command; here it is the join token.
  const given = session.options.token ?? process.env.TRAINYARD_JOIN_TOKEN ?? "";
  const token =
    file === undefined ? given : file === "-" ? await readAll(process.stdin) : readFileSync(file, "utf8");
  if (token.trim() !== "") return token.trim();
  const message =
    "There is no join token: give one by --token-file, TRAINYARD_JOIN_TOKEN or --token (an admin makes one with trainyard agent invite NODE).";
  throw new DomainError("unauthenticated", "JOIN_TOKEN_MISSING", message);
}

function urlOf(text: string): string {
  if (URL.canParse(text) && /^https?:$/.test(new URL(text).protocol))
    return new URL(text).href.replace(/\/+$/, "");
  const message = `"${text}" is no platform's address: expected something like http://10.0.0.1:7070`;
  throw new DomainError("invalid_argument", "URL_INVALID", message);
}

/** The address from which this machine reaches the platform: the likeliest one for others to reach it back. */
function localAddress(url: string): Promise<string> {
  const { hostname, port, protocol } = new URL(url);
  return new Promise((done, failed) => {
    const host = hostname.replace(/^\[|\]$/g, "");
    const socket = connect({
      host,
      port: Number(port) || (protocol === "https:" ? 443 : 80),
      timeout: CONNECT_TIMEOUT_MS,
    });
    const fail = (why: string) => {
      socket.destroy();
      failed(
        new DomainError(
          "unavailable",
          "PLATFORM_UNREACHABLE",
          `The platform at ${url} cannot be reached: ${why}.`,
        ),
      );
    };
    socket.on("connect", () => {
      done(socket.localAddress ?? "127.0.0.1");
      socket.destroy();
    });
    socket.on("timeout", () => fail(`no answer within ${CONNECT_TIMEOUT_MS} ms`));
    socket.on("error", (error) => fail(error.message));
  });
}
