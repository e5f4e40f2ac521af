import type { NatsPermissions } from "./nats-permissions.ts";

/** Largest message the bus takes; batches are cut far below it. */
export const maxPayloadBytes = 1024 * 1024;

/** A user of the bus. */
export interface NatsServerUser extends NatsPermissions {
  readonly name: string;
  readonly publicKey: string;
}

/** What the server's configuration is made of. */
export interface NatsServerSettings {
  readonly host: string;
  readonly port: number;
  /** JetStream's folder. */
  readonly storeDir: string;
  readonly users: readonly NatsServerUser[];
  readonly serverName?: string;
  readonly logFile?: string;
  readonly pidFile?: string;
}

/**
 * The server's configuration file. `sync_interval: always` makes an acknowledged message survive a power cut; the
 * default flushes every two minutes. Values are written as JSON, which the format includes.
 */
export function natsServerConfig(settings: NatsServerSettings): string {
  const lines: readonly (readonly [string, unknown])[] = [
    ["server_name", settings.serverName ?? "trainyard"],
    ["listen", `${settings.host}:${settings.port}`],
    ["max_payload", maxPayloadBytes],
    ["jetstream", { store_dir: settings.storeDir, sync_interval: "always", max_file_store: 64 * 1024 ** 3 }],
    ["authorization", { users: settings.users.map(userEntry) }],
    ...(settings.logFile === undefined ? [] : [["log_file", settings.logFile] as const]),
    ...(settings.pidFile === undefined ? [] : [["pid_file", settings.pidFile] as const]),
  ];
  return `${lines.map(([key, value]) => `${key}: ${JSON.stringify(value, undefined, 2)}`).join("\n")}\n`;
}

function userEntry({ publicKey, publish, subscribe }: NatsServerUser): object {
  return { nkey: publicKey, permissions: { publish, subscribe } };
}
