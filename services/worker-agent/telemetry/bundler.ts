import { createHash } from "node:crypto";
import { create, toBinary } from "@bufbuild/protobuf";
import { workeragent } from "@trainyard/contracts";
import type { TelemetryPublisher } from "./publisher.ts";
import { bundleSubject, type RankIdentity } from "./rank-stream.ts";

/** How long a batch waits for those that the other pumps of the attempt read at the same moment. */
const GATHER_MS = 4;
/** So many bytes wait for no others. */
const FULL_BYTES = 64 * 1024;
/** A batch that has more alone, as a record of thousands of metrics may, is sent alone: the bus takes no message of more than 1 MiB. */
const MAX_BYTES = 512 * 1024;

/** One batch of one rank. */
export interface Offered {
  readonly batch: workeragent.TelemetryPart["batch"];
  /** Names its range: the same range has the same. */
  readonly id: string;
  /** About as encoded. */
  readonly bytes: number;
}

interface Waiting extends Offered {
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** Publishes what the ranks of one attempt on this node recorded, those of a moment in one message. */
export class TelemetryBundler {
  readonly #of: Omit<RankIdentity, "rank">;
  readonly #publisher: Pick<TelemetryPublisher, "publish">;
  readonly #signal: AbortSignal;
  #waiting: Waiting[] = [];
  #bytes = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    of: Omit<RankIdentity, "rank">,
    publisher: Pick<TelemetryPublisher, "publish">,
    signal: AbortSignal,
  ) {
    this.#of = of;
    this.#publisher = publisher;
    this.#signal = signal;
  }

  /** Resolves when the stream has stored it; rejects only when the signal aborts. */
  publish(offered: Offered): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#bytes > 0 && this.#bytes + offered.bytes > MAX_BYTES) void this.#send();
      this.#waiting.push({ ...offered, resolve, reject });
      this.#bytes += offered.bytes;
      if (this.#bytes >= FULL_BYTES) void this.#send();
      else this.#timer ??= setTimeout(() => void this.#send(), GATHER_MS);
    });
  }

  async #send(): Promise<void> {
    clearTimeout(this.#timer);
    const sent = this.#waiting;
    [this.#waiting, this.#bytes, this.#timer] = [[], 0, undefined];
    const bundle = create(workeragent.TelemetryBundleSchema, { parts: sent.map(({ batch }) => ({ batch })) });
    const bytes = toBinary(workeragent.TelemetryBundleSchema, bundle);
    try {
      await this.#publisher.publish(bundleSubject(this.#of), bytes, idOf(sent), this.#signal);
      for (const { resolve } of sent) resolve();
    } catch (error) {
      for (const { reject } of sent) reject(error);
    }
  }
}

/** The id under which the bundle is deduplicated: the same ranges in the same order have the same. */
function idOf(sent: readonly Offered[]): string {
  return createHash("sha256")
    .update(JSON.stringify(sent.map(({ id }) => id)))
    .digest("base64url");
}
