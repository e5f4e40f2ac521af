import type { Message } from "@bufbuild/protobuf";
import { type CloudEvent, encodeCloudEvent, eventSubject, eventTypeOf } from "@trainyard/contracts";
import { DomainError, newId } from "@trainyard/domain";
import { currentTraceparent } from "@trainyard/telemetry";
import type { ClientSession } from "mongodb";
import { aggregateFilter } from "./aggregate-filter.ts";
import { collections, type OutboxRow } from "./schema.ts";
import type { EmitRequest, Store } from "./store.ts";

/** Largest encoded event: well under the bus's message limit, since an event names things and does not carry them. */
export const MAX_EVENT_BYTES = 512 * 1024;

/** Writes one outbox row inside the session's transaction. `order` is the event's place among that transaction's. */
export async function emitToOutbox<T extends Message>(
  store: Store,
  session: ClientSession,
  request: EmitRequest<T>,
  order: number,
): Promise<string> {
  if (!Number.isSafeInteger(request.aggregateVersion) || request.aggregateVersion < 1) {
    throw new RangeError(
      `aggregateVersion of ${request.id} must be a whole number from 1, got ${request.aggregateVersion}`,
    );
  }
  const type = eventTypeOf(request.schema);
  const id = newId("evt");
  const createdAt = new Date();
  const traceparent = request.traceparent ?? currentTraceparent();
  const event: CloudEvent<T> = {
    specversion: "1.0",
    id,
    source: `/trainyard/${type.service}`,
    type: type.type,
    subject: request.id,
    time: createdAt.toISOString(),
    datacontenttype: "application/json",
    ...(traceparent === undefined ? {} : { traceparent }),
    project: request.project,
    actor: request.actor,
    aggregateversion: request.aggregateVersion,
    data: request.data,
  };
  const bytes = encodeCloudEvent(request.schema, event);
  if (bytes.byteLength > MAX_EVENT_BYTES) {
    throw new DomainError(
      "resource_exhausted",
      "EVENT_TOO_LARGE",
      `Event ${type.type} of ${request.id} has ${bytes.byteLength} bytes; the limit (MAX_EVENT_BYTES) is ${MAX_EVENT_BYTES}.`,
    );
  }
  const row: OutboxRow = {
    _id: id,
    schemaVersion: 1,
    state: "unpublished",
    project: request.project,
    actor: request.actor,
    type: type.type,
    subject: request.id,
    natsSubject: eventSubject(request.project, type, request.id),
    aggregate: aggregateFilter(request.project, type, request.id),
    aggregateVersion: request.aggregateVersion,
    order,
    ...(traceparent === undefined ? {} : { traceparent }),
    body: new TextDecoder().decode(bytes),
    createdAt,
  };
  await store.collection<OutboxRow>(collections.outbox).insertOne(row, { session });
  return id;
}
