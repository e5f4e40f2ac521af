import type { DescMessage, Message } from "@bufbuild/protobuf";
import type { GenMessage } from "@bufbuild/protobuf/codegenv2";
import { type EventType, eventTypeOf, isEventSchema } from "./event-type.ts";
import { file_trainyard_dataset_v1_events } from "./gen/trainyard/dataset/v1/events_pb.js";
import { file_trainyard_evaluation_v1_events } from "./gen/trainyard/evaluation/v1/events_pb.js";
import { file_trainyard_gateway_v1_events } from "./gen/trainyard/gateway/v1/events_pb.js";
import { file_trainyard_registry_v1_events } from "./gen/trainyard/registry/v1/events_pb.js";
import { file_trainyard_scheduler_v1_events } from "./gen/trainyard/scheduler/v1/events_pb.js";
import { file_trainyard_tracking_v1_events } from "./gen/trainyard/tracking/v1/events_pb.js";

const files = [
  file_trainyard_scheduler_v1_events,
  file_trainyard_tracking_v1_events,
  file_trainyard_dataset_v1_events,
  file_trainyard_evaluation_v1_events,
  file_trainyard_registry_v1_events,
  file_trainyard_gateway_v1_events,
];

/** A described message seen as a generated one: every message of a generated file is one. */
const generated = (schema: DescMessage) => schema as GenMessage<Message>;

/** The catalogue: every domain event of the platform, by service, in the order of its proto file. */
export const eventTypes: readonly EventType[] = files.flatMap((file) =>
  file.messages.filter(isEventSchema).map((schema) => eventTypeOf(generated(schema))),
);

/** Services that publish domain events; each owns one stream. */
export const eventServices: readonly string[] = [...new Set(eventTypes.map(({ service }) => service))];
