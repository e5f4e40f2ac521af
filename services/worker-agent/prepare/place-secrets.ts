import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Client } from "@connectrpc/connect";
import type { scheduler } from "@trainyard/contracts";
import { assertName } from "@trainyard/domain";
import { fromConnectError, inProject } from "@trainyard/service";
import type { Assignment } from "../domain/assignment.ts";
import { readFileIfThere, writeDurably } from "../ranks/durable-file.ts";
import { StartError } from "./start-error.ts";

/** How long the scheduler may take to answer. */
const FETCH_TIMEOUT_MS = 10_000;
/** What an attempt was given: its variables, and every value (base64) for whoever has to recognise them in its output. */
const GIVEN_FILE = "secrets.json";
const MAX_GIVEN_FILE_BYTES = 16 * 1024 * 1024;
/** Files that the job asked for. */
export const SECRETS_FOLDER = "secrets";

export type SecretClient = Pick<Client<typeof scheduler.SecretService>, "fetchSecrets">;

interface Given {
  readonly env: Readonly<Record<string, string>>;
  readonly values: readonly string[];
}

/**
 * Fetches the secrets of an attempt and places them in its directory: files as files, and the rest where `secretEnv` finds
 * it. They are on this node's disk only as long as that directory, readable by the agent's user alone, and never on the bus.
 */
export async function placeSecrets(
  client: SecretClient,
  { jobId, attempt, project, work }: Assignment,
  dir: string,
  signal: AbortSignal,
): Promise<void> {
  if (work.secrets.length === 0) return;
  const { values } = await client
    .fetchSecrets({ jobId, attempt }, { ...inProject(project), signal, timeoutMs: FETCH_TIMEOUT_MS })
    .catch((error: unknown) => {
      signal.throwIfAborted();
      throw new StartError(
        "SECRET_FETCH_FAILED",
        `fetching the secrets failed: ${fromConnectError(error).message}`,
      );
    });
  await mkdir(join(dir, SECRETS_FOLDER), { recursive: true, mode: 0o700 });
  const env: Record<string, string> = {};
  for (const { name, env: variable, file } of work.secrets) {
    const value = values[name];
    if (value === undefined) throw new Error(`the scheduler gave no value of secret ${JSON.stringify(name)}`);
    if (variable !== "") env[variable] = textOf(name, value);
    if (file === "") continue;
    assertName("file", file);
    await writeDurably(join(dir, SECRETS_FOLDER, file), value);
  }
  const given: Given = {
    env,
    values: Object.values(values).map((value) => Buffer.from(value).toString("base64")),
  };
  await writeDurably(join(dir, GIVEN_FILE), JSON.stringify(given));
}

function textOf(name: string, value: Uint8Array): string {
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(value);
    if (!text.includes("\0")) return text;
  } catch {
    // Said below.
  }
  throw new StartError(
    "SECRET_FETCH_FAILED",
    `The secret ${JSON.stringify(name)} is no UTF-8 text without NUL, so no variable can hold it: give it to the job as a file.`,
  );
}

/** The variables that hold an attempt's secrets. */
export async function secretEnv(dir: string): Promise<Readonly<Record<string, string>>> {
  return (await givenTo(dir)).env;
}

/** Every value that an attempt was given; none when it has no secrets. */
export async function secretValues(dir: string): Promise<readonly Uint8Array[]> {
  return (await givenTo(dir)).values.map((value) => Buffer.from(value, "base64"));
}

async function givenTo(dir: string): Promise<Given> {
  const file = await readFileIfThere(join(dir, GIVEN_FILE), MAX_GIVEN_FILE_BYTES);
  // Written above only.
  return file === undefined ? { env: {}, values: [] } : (JSON.parse(new TextDecoder().decode(file)) as Given);
}
