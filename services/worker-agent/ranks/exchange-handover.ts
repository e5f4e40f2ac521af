import { setTimeout as delay } from "node:timers/promises";
import { fromBinary, fromJsonString, type JsonValue, toBinary, toJson } from "@bufbuild/protobuf";
import { buckets, openKv } from "@trainyard/bus";
import { workeragent } from "@trainyard/contracts";
import { crashPoint } from "@trainyard/failpoint";
import type { Logger } from "@trainyard/telemetry";
import type { Assignment } from "../domain/assignment.ts";
import { nodeKey } from "../domain/node-key.ts";
import type { BusLink } from "../heartbeat/bus-link.ts";
import { readFileIfThere, writeDurably } from "./durable-file.ts";
import type { RendezvousBucket } from "./rendezvous.ts";
import type { Spool } from "./spool.ts";

/** Names of `sdk/python/trainyard/runtime/exchange.py`. */
const OWN_WORD = "handover-word.json";
const OTHERS_WORDS = "handover-others.json";

const LOOK_MS = 50;
/** A gang of many nodes asks more seldom, so that each node asks for about a hundred words a second. */
const LOOK_PER_NODE_MS = 10;
/** By this the other nodes know that this one is there; they wait for five seconds. */
const TELL_AGAIN_MS = 1_000;
/** How long the last word is tried to be told once the ranks have ended. */
const LAST_WORD_MS = 5_000;
/** Of one node's word: a few hundred bytes a rank. */
const MAX_WORD_BYTES = 256 * 1024;

export interface HandoverLife {
  /** Whether the ranks have ended, so that the shim says nothing more. */
  readonly over: () => boolean;
  /** Called when the shim has said its first word: ranks on other nodes may not have noticed. */
  readonly onBegun: () => void;
  readonly signal: AbortSignal;
}

/**
 * Carries what the shims of a gang on several nodes tell each other after a rank has died: this node's word into the
 * bucket, and the others' to where this node's shim reads them. Does nothing until the shim says its first word. Rejects
 * only when the signal aborts.
 */
export async function exchangeHandover(
  deps: { readonly link: BusLink; readonly logger: Logger },
  assignment: Assignment,
  spool: Spool,
  { over, onBegun, signal }: HandoverLife,
): Promise<void> {
  if (assignment.groupCount < 2) return;
  const courier = new Courier(assignment, spool);
  let endedAtMs: number | undefined;
  for (let failed = false; ; ) {
    signal.throwIfAborted();
    // Asked first, so that the word that is read then is the last.
    if (over()) endedAtMs ??= performance.now();
    try {
      if (await courier.read()) onBegun();
      if (courier.hasWord)
        await courier.carry(await openKv(await deps.link.connected(signal), buckets.rendezvous));
      if (endedAtMs !== undefined) return;
    } catch (error) {
      signal.throwIfAborted();
      if (!failed) deps.logger.warn({ err: error }, "the other nodes of the gang are not reached; trying on");
      failed = true;
      if (endedAtMs !== undefined && performance.now() - endedAtMs > LAST_WORD_MS) return;
    }
    await delay(Math.max(LOOK_MS, LOOK_PER_NODE_MS * assignment.groupCount), undefined, { signal });
  }
}

/** What is known of the words of one gang, so that only news are carried. */
class Courier {
  readonly #assignment: Assignment;
  readonly #spool: Spool;
  #text = "";
  #word: Uint8Array | undefined;
  #told: { readonly text: string; readonly atMs: number } | undefined;
  /** By node: its word, and the number of its telling. */
  readonly #others = new Map<number, { readonly number: number; readonly word: JsonValue }>();

  constructor(assignment: Assignment, spool: Spool) {
    this.#assignment = assignment;
    this.#spool = spool;
  }

  get hasWord(): boolean {
    return this.#word !== undefined;
  }

  /** Reads this node's word, if it says anything new; says whether it is the first. */
  async read(): Promise<boolean> {
    const bytes = await readFileIfThere(this.#spool.path(OWN_WORD), MAX_WORD_BYTES);
    if (bytes === undefined) return false;
    const text = new TextDecoder().decode(bytes);
    if (text === this.#text) return false;
    const isFirst = this.#word === undefined;
    const word = fromJsonString(workeragent.HandoverWordSchema, text);
    this.#word = toBinary(workeragent.HandoverWordSchema, word);
    this.#text = text;
    return isFirst;
  }

  async carry(kv: RendezvousBucket): Promise<void> {
    await this.#tell(kv);
    await this.#hear(kv);
  }

  async #tell(kv: RendezvousBucket): Promise<void> {
    const now = performance.now();
    const isNews = this.#told?.text !== this.#text;
    if (this.#word === undefined || (!isNews && now - (this.#told?.atMs ?? 0) < TELL_AGAIN_MS)) return;
    const text = this.#text;
    await kv.put(this.#keyOf(this.#assignment.groupRank), this.#word);
    this.#told = { text, atMs: now };
    crashPoint("agent.handover.told");
  }

  async #hear(kv: RendezvousBucket): Promise<void> {
    const { groupRank, groupCount } = this.#assignment;
    const groups = Array.from({ length: groupCount }, (_, group) => group).filter(
      (group) => group !== groupRank,
    );
    const heard = await Promise.all(groups.map((group) => this.#hearOf(kv, group)));
    if (!heard.includes(true)) return;
    const nodes = Object.fromEntries(this.#others);
    await writeDurably(this.#spool.path(OTHERS_WORDS), JSON.stringify({ nodes }));
    crashPoint("agent.handover.heard");
  }

  /** Says whether it has told anything since. */
  async #hearOf(kv: RendezvousBucket, group: number): Promise<boolean> {
    const entry = await kv.get(this.#keyOf(group));
    if (entry === null || entry.revision === this.#others.get(group)?.number) return false;
    const word = wordIn(entry.value);
    if (word === undefined) return false;
    this.#others.set(group, { number: entry.revision, word });
    return true;
  }

  #keyOf(group: number): string {
    return `${nodeKey(this.#assignment, group)}.handover`;
  }
}

/** What a node has told; undefined when it is no word: another node's agent, of whatever version, wrote it. */
function wordIn(value: Uint8Array): JsonValue | undefined {
  if (value.length > MAX_WORD_BYTES) return undefined;
  try {
    return toJson(workeragent.HandoverWordSchema, fromBinary(workeragent.HandoverWordSchema, value));
  } catch {
    return undefined;
  }
}
