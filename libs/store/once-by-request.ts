import { fromBinary, type Message, toBinary } from "@bufbuild/protobuf";
import type { GenMessage } from "@bufbuild/protobuf/codegenv2";
import { DomainError } from "@trainyard/domain";
import { Binary } from "mongodb";
import { isDuplicateKey, RetryTransaction } from "./errors.ts";
import { collections, type RequestRow } from "./schema.ts";
import type { Tx } from "./store.ts";

/** How an answer is kept and given again. */
export interface AnswerCodec<T> {
  encode(answer: T): Uint8Array;
  decode(bytes: Uint8Array): T;
}

/** A mutating call, as its sender may repeat it. */
export interface RequestKey<T> {
  /** Name of the caller: two callers may choose the same request id. */
  readonly principal: string;
  /** Full RPC name, such as `trainyard.scheduler.v1.SchedulerService/SubmitJob`. */
  readonly method: string;
  readonly requestId: string;
  /** Hash of the request's body without the request id. */
  readonly requestHash: string;
  /** How the answer is stored; plain JSON when absent. */
  readonly codec?: AnswerCodec<T>;
}

/** Answers that are protobuf messages. */
export function messageAnswer<T extends Message>(schema: GenMessage<T>): AnswerCodec<T> {
  return { encode: (answer) => toBinary(schema, answer), decode: (bytes) => fromBinary(schema, bytes) };
}

/**
 * Runs `fn` for the first call with this request id and gives its answer to every repetition, for 7 days. The answer
 * commits with the effect, so a caller that got no reply may simply ask again. Two calls at once: one conflicts, runs
 * again and gets the other's answer. An empty request id means that the caller does not repeat: `fn` just runs.
 * Throws `already_exists` REQUEST_ID_REUSED when the id came with another body before.
 */
export async function onceByRequest<T>(tx: Tx, key: RequestKey<T>, fn: () => Promise<T>): Promise<T> {
  if (key.requestId === "") return fn();
  const codec = key.codec ?? (jsonAnswer as AnswerCodec<T>); // JSON is the codec of whatever survives it, by contract.
  const rows = tx.store.collection<RequestRow>(collections.requests);
  const _id = JSON.stringify([key.principal, key.method, key.requestId]);
  const known = await rows.findOne({ _id }, { session: tx.session });
  if (known !== null) {
    if (known.requestHash !== key.requestHash) throw reused(key);
    return codec.decode(bytesOf(known.answer));
  }
  const answer = codec.encode(await fn());
  try {
    await rows.insertOne(
      {
        _id,
        schemaVersion: 1,
        requestHash: key.requestHash,
        answer: new Binary(answer),
        createdAt: new Date(),
      },
      { session: tx.session },
    );
  } catch (error) {
    if (isDuplicateKey(error))
      throw new RetryTransaction("the same request committed meanwhile", { cause: error });
    throw error;
  }
  // Decoded again, so that the first caller gets exactly what a repetition gets.
  return codec.decode(answer);
}

const jsonAnswer: AnswerCodec<unknown> = {
  encode: (answer) => new TextEncoder().encode(JSON.stringify(answer ?? null)),
  decode: (bytes) => JSON.parse(new TextDecoder().decode(bytes)) as unknown,
};

function bytesOf(binary: Binary): Uint8Array {
  return binary.value();
}

function reused(key: RequestKey<unknown>): DomainError {
  const description = `Request id ${key.requestId} was used for another ${key.method} before. Use a new id for a new request.`;
  return new DomainError("already_exists", "REQUEST_ID_REUSED", description, {
    violations: [{ field: "request_id", description }],
  });
}
