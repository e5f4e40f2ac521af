import { type DescMessage, type MessageShape, toJson } from "@bufbuild/protobuf";
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import type { Clients } from "./client/clients.ts";
import { findPlatform, type PlatformAddress, type PlatformOptions } from "./client/find-platform.ts";
import { type Column, renderTable, renderTsv } from "./terminal/table.ts";
import { formatTime } from "./terminal/time.ts";

/** The options that every command takes. */
export interface GlobalOptions extends PlatformOptions {
  readonly json?: boolean;
  readonly utc?: boolean;
}

/** What a command works with: the platform's clients and the way to speak. One per command line. */
export class Session {
  readonly options: GlobalOptions;
  readonly isTerminal: boolean = process.stdout.isTTY === true;
  #address: PlatformAddress | undefined;
  #clients: Clients | undefined;

  constructor(options: GlobalOptions) {
    this.options = options;
  }

  get json(): boolean {
    return this.options.json === true;
  }

  get address(): PlatformAddress {
    this.#address ??= findPlatform(this.options, process.env, process.cwd());
    return this.#address;
  }

  /** Where calls go, for messages; undefined when no call was made. */
  get url(): string | undefined {
    return this.#address?.url;
  }

  /** The clients; loading them is left until a command needs them. */
  async clients(): Promise<Clients> {
    if (this.#clients === undefined) {
      const { createClients } = await import("./client/clients.ts");
      this.#clients = createClients(this.address);
    }
    return this.#clients;
  }

  print(text: string): void {
    process.stdout.write(`${text}\n`);
  }

  /** For a person only: nothing of it with --json. */
  say(text: string): void {
    if (!this.json) this.print(text);
  }

  /** One message as ProtoJSON, every field present: whole and indented, or as one line of a stream. */
  printMessage<D extends DescMessage>(schema: D, message: MessageShape<D>, options = { indent: 2 }): void {
    this.print(
      JSON.stringify(toJson(schema, message, { alwaysEmitImplicit: true }), undefined, options.indent),
    );
  }

  /** A list: aligned with titles on a terminal, tab-separated in a pipe. `empty` is said to a person when there is none. */
  printTable<Row>(columns: readonly Column<Row>[], rows: readonly Row[], empty: string): void {
    if (rows.length > 0) this.print(this.isTerminal ? renderTable(columns, rows) : renderTsv(columns, rows));
    else if (this.isTerminal) this.print(empty);
  }

  time(at: Timestamp | Date | undefined): string {
    return formatTime(at, {
      utc: this.options.utc === true,
      human: this.isTerminal,
      now: new Date(),
    });
  }
}
