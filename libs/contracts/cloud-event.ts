import { fromJson, type JsonValue, type Message, toJson } from "@bufbuild/protobuf";
import type { GenMessage } from "@bufbuild/protobuf/codegenv2";

/**
 * A domain event on the wire: CloudEvents 1.0 in structured JSON mode, the one mode the NATS protocol binding (1.0.2)
 * defines. `traceparent` is the distributed-tracing extension; `project`, `actor` and `aggregateversion` are ours
 * (extension names are lower-case letters and digits by the specification). `data` is ProtoJSON.
 */
export interface CloudEvent<T = JsonValue> {
  readonly specversion: "1.0";
  /** Unique per event; also the message id that deduplicates its publishing. */
  readonly id: string;
  /** "/trainyard/<service>". */
  readonly source: string;
  /** "trainyard.scheduler.job.submitted.v1". */
  readonly type: string;
  /** Id of the aggregate the event is about. */
  readonly subject: string;
  /** When it happened, RFC 3339 in UTC. */
  readonly time: string;
  readonly datacontenttype: "application/json";
  /** W3C trace context of what caused it. */
  readonly traceparent?: string;
  readonly project: string;
  /** Who caused it: a principal's name. */
  readonly actor: string;
  /** Version of the aggregate after the change; rises by one with each. */
  readonly aggregateversion: number;
  readonly data: T;
}

/** Why bytes are not an event of the expected kind; a consumer rejects such a message, since no retry mends it. */
export class CloudEventError extends Error {
  override readonly name = "CloudEventError";
}

/** Writes an event as UTF-8 JSON. */
export function encodeCloudEvent<T extends Message>(schema: GenMessage<T>, event: CloudEvent<T>): Uint8Array {
  return new TextEncoder().encode(JSON.stringify({ ...event, data: toJson(schema, event.data) }));
}

const requiredText = ["id", "source", "type", "subject", "time", "project", "actor"] as const;

/** Reads the envelope and leaves `data` as JSON: for those who show or forward events without knowing their type. */
export function peekCloudEvent(bytes: Uint8Array): CloudEvent {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new CloudEventError("not UTF-8 JSON", { cause });
  }
  if (typeof value !== "object" || value === null) throw new CloudEventError("not a JSON object");
  const fields = new Map(Object.entries(value));
  if (fields.get("specversion") !== "1.0") throw new CloudEventError('specversion is not "1.0"');
  for (const name of requiredText) {
    if (typeof fields.get(name) !== "string") throw new CloudEventError(`attribute "${name}" is missing`);
  }
  if (!Number.isSafeInteger(fields.get("aggregateversion"))) {
    throw new CloudEventError('attribute "aggregateversion" is not an integer');
  }
  // The attributes were checked one by one above; the compiler cannot follow a Map.
  return value as CloudEvent;
}

/** Reads an event of a known type; unknown fields of newer publishers are ignored. Throws CloudEventError. */
export function decodeCloudEvent<T extends Message>(schema: GenMessage<T>, bytes: Uint8Array): CloudEvent<T> {
  const event = peekCloudEvent(bytes);
  try {
    return { ...event, data: fromJson(schema, event.data, { ignoreUnknownFields: true }) };
  } catch (cause) {
    throw new CloudEventError(`data is not a ${schema.typeName}`, { cause });
  }
}
