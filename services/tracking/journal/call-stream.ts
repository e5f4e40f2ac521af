import { type Bus, jetstreamWithin, metricCallSubject, streamNames } from "@trainyard/bus";

/** Which messages a stream has: numbers from `first` to `last`, with gaps; none when `first` is the greater. */
export interface Ends {
  readonly first: number;
  readonly last: number;
}

/** What is in the stream at one moment. */
export interface Look extends Ends {
  /** Runs of which calls are in it that other replicas have taken. */
  readonly others: ReadonlySet<string>;
}

/** A call in the stream. */
export interface CallMessage {
  readonly seq: number;
  readonly subject: string;
  readonly data: Uint8Array;
}

/** The stream of calls that were acknowledged and may not be in the database yet, as one replica sees it. */
export interface CallStream {
  /** Stores it durably; returns its number. Rejects after a second without an answer: then it may be there or not. */
  append(runId: string, data: Uint8Array): Promise<number>;
  ends(): Promise<Ends>;
  /** Of one run, or of all. */
  look(runId: string | undefined): Promise<Look>;
  /** What is there of these numbers. */
  read(ends: Ends): Promise<CallMessage[]>;
  /** Removes what has smaller numbers: what this replica has put there, or everything. */
  drop(below: number, whose: "mine" | "everyone's"): Promise<void>;
}

/** Short: who waits has another way, or is told so. */
const TIMEOUT_MS = 1_000;
const stream = streamNames.metricCalls;

/** `writer` is this replica's name for as long as it lives; it has no dots. */
export async function openCallStream(bus: Bus, writer: string): Promise<CallStream> {
  const { js, jsm } = await jetstreamWithin(bus, TIMEOUT_MS);
  const { streams } = jsm;
  const mine = metricCallSubject(writer, "");

  return {
    async append(runId, data) {
      return (await js.publish(metricCallSubject(writer, runId), data, { timeout: TIMEOUT_MS })).seq;
    },
    async ends() {
      return endsOf((await streams.info(stream)).state);
    },
    async look(runId = "*") {
      const { state } = await streams.info(stream, { subjects_filter: metricCallSubject("*", runId) });
      const others = Object.keys(state.subjects ?? {}).filter((subject) => !subject.startsWith(mine));
      return { ...endsOf(state), others: new Set(others.map(runOf)) };
    },
    async read({ first, last }) {
      const numbers = Array.from({ length: last - first + 1 }, (_, index) => first + index);
      const found = await Promise.all(numbers.map((seq) => streams.getMessage(stream, { seq })));
      return found.flatMap((message) =>
        message === null ? [] : [{ seq: message.seq, subject: message.subject, data: message.data }],
      );
    },
    async drop(below, whose) {
      await streams.purge(stream, {
        filter: metricCallSubject(whose === "mine" ? writer : "*", "*"),
        seq: below,
      });
    },
  };
}

function endsOf(state: {
  readonly messages: number;
  readonly first_seq: number;
  readonly last_seq: number;
}): Ends {
  // Of a stream that never had a message both numbers are 0.
  return { first: state.messages === 0 ? state.last_seq + 1 : state.first_seq, last: state.last_seq };
}

const runOf = (subject: string) => subject.slice(subject.lastIndexOf(".") + 1);
