/** The contracts between services: generated messages by package, and the events' names and envelope. */
export {
  type CloudEvent,
  CloudEventError,
  decodeCloudEvent,
  encodeCloudEvent,
  peekCloudEvent,
} from "./cloud-event.ts";
export * as common from "./common.ts";
export * as dataset from "./dataset.ts";
export * as errorDetails from "./error-details.ts";
export * as evaluation from "./evaluation.ts";
export { eventFilter, eventStreamName, eventSubject } from "./event-subject.ts";
export { type EventType, eventTypeOf, isEventSchema } from "./event-type.ts";
export { eventServices, eventTypes } from "./event-types.ts";
export * as gateway from "./gateway.ts";
export * as health from "./health.ts";
export * as reflection from "./reflection.ts";
export * as registry from "./registry.ts";
export * as scheduler from "./scheduler.ts";
export { stageByWord, stageWord } from "./stage-word.ts";
export * as tracking from "./tracking.ts";
export * as workeragent from "./workeragent.ts";
