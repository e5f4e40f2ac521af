import { randomUUID } from "node:crypto";
import { buffer } from "node:stream/consumers";
import { create } from "@bufbuild/protobuf";
import { scheduler } from "@trainyard/contracts";
import { DomainError } from "@trainyard/domain";
import { collectPages } from "../client/collect-pages.ts";
import type { Session } from "../session.ts";
import type { Column } from "../terminal/table.ts";

/** The options of `secrets set`. */
export interface SetFlags {
  readonly keepNewline?: boolean;
}

const NEWLINE = 0x0a;
const MAX_LISTED = 10_000;

/** Stores what standard input holds. A value as an argument would stand in the shell's history and in the process list. */
export async function setSecret(session: Session, name: string, flags: SetFlags): Promise<void> {
  if (process.stdin.isTTY) process.stderr.write(`Type or paste the value of ${name}, then Ctrl-D:\n`);
  const read = await buffer(process.stdin);
  // What `echo` and a terminal add and hardly any password has.
  const value = !flags.keepNewline && read.at(-1) === NEWLINE ? read.subarray(0, -1) : read;
  if (value.length === 0) {
    throw new DomainError(
      "invalid_argument",
      "SECRET_VALUE_INVALID",
      `Standard input is empty: expected the value, such as \`trainyard secrets set ${name} < file\`.`,
    );
  }
  const { secrets } = await session.clients();
  const { secret } = await secrets.putSecret({ requestId: randomUUID(), name, value });
  if (secret === undefined) throw new Error("the scheduler answered without the secret");
  if (session.json) session.printMessage(scheduler.SecretSchema, secret);
  else session.print(`${secret.name} is set, version ${secret.version} (${value.length} bytes)`);
}

/** Lists the names. */
export async function listSecrets(session: Session): Promise<void> {
  const { secrets } = await session.clients();
  const { items: all } = await collectPages(MAX_LISTED, async (page) => {
    const response = await secrets.listSecrets({ page });
    return { items: response.secrets, next: response.page?.nextPageToken ?? "" };
  });
  if (session.json) {
    session.printMessage(
      scheduler.ListSecretsResponseSchema,
      create(scheduler.ListSecretsResponseSchema, { secrets: all }),
    );
    return;
  }
  const columns: Column<scheduler.Secret>[] = [
    { title: "secret", cell: ({ name }) => name },
    { title: "version", cell: ({ version }) => String(version) },
    { title: "set by", cell: ({ setBy }) => setBy },
    { title: "set", cell: ({ setAt }) => session.time(setAt) },
  ];
  session.printTable(columns, all, "No secrets.");
}

/** Removes one. */
export async function deleteSecret(session: Session, name: string): Promise<void> {
  const { secrets } = await session.clients();
  await secrets.deleteSecret({ requestId: randomUUID(), name });
  if (session.json) session.print("{}");
  else session.print(`${name} is gone`);
}
