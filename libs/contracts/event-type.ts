import type { DescMessage, Message } from "@bufbuild/protobuf";
import { getOption, hasOption } from "@bufbuild/protobuf";
import type { GenMessage } from "@bufbuild/protobuf/codegenv2";
import { event as eventOption } from "./gen/trainyard/common/v1/options_pb.js";

/** A kind of domain event: who publishes it, what it is about, and the message it carries. */
export interface EventType<T extends Message = Message> {
  /** The owning service, as in the proto package: "scheduler". */
  readonly service: string;
  /** What it is about: "job". */
  readonly entity: string;
  /** What happened, in the past tense: "submitted". */
  readonly event: string;
  /** CloudEvents type: "trainyard.scheduler.job.submitted.v1". */
  readonly type: string;
  readonly schema: GenMessage<T>;
}

const packagePattern = /^trainyard\.([a-z]+)\.(v\d+)\.\w+$/;

/** Whether a message is published as a domain event. */
export function isEventSchema(schema: DescMessage): boolean {
  return hasOption(schema, eventOption);
}

/**
 * The event type of a message that carries the event option. Everything that names an event (subject, CloudEvents type,
 * catalogue) derives from here, so that two names of one event cannot differ. Throws on a message that is no event.
 */
export function eventTypeOf<T extends Message>(schema: GenMessage<T>): EventType<T> {
  const match = packagePattern.exec(schema.typeName);
  if (match === null || !isEventSchema(schema)) throw new Error(`${schema.typeName} is not a domain event`);
  const [, service = "", version = ""] = match;
  const { entity, event } = getOption(schema, eventOption);
  return { service, entity, event, type: `trainyard.${service}.${entity}.${event}.${version}`, schema };
}
