/** The message bus: streams and consumers that are declared, durable publishing, dead letters, KV, and who may do what. */
export { type Bus, type BusOptions, connectBus, type Published, type PublishOptions } from "./bus.ts";
export { type ConsumerSpec, type Consuming, consume, type Delivery } from "./consume.ts";
export {
  type Buried,
  buryMessage,
  type DeadLetter,
  listDeadLetters,
  replayDeadLetter,
  showDeadLetter,
} from "./dead-letter.ts";
export { deadLetterFeeder } from "./dead-letter-feeder.ts";
export { declareStream } from "./declare-stream.ts";
export { apiCodes, hasApiCode, PublishError, StalePublisherError, StreamDeclarationError } from "./errors.ts";
export { done, type HandlerResult, reject, retry } from "./handler-result.ts";
export { inboxPrefix } from "./inbox-prefix.ts";
export { jetstreamWithin } from "./jetstream-within.ts";
export { buckets, createKv, isKvConflict, openKv } from "./kv.ts";
export { type NatsPermissions, natsPermissions, type SubjectRule } from "./nats-permissions.ts";
export {
  maxPayloadBytes,
  type NatsServerSettings,
  type NatsServerUser,
  natsServerConfig,
} from "./nats-server-config.ts";
export { generateNkey, type Nkey } from "./nkey.ts";
export { createRoom, type Room } from "./room.ts";
export { hearChanged, hearFollowed, tellChanged, tellFollowed } from "./run-words.ts";
export {
  advisoryStreamSpec,
  deadLetterStreamSpec,
  eventStreamSpec,
  metricCallStreamSpec,
  metricCallSubject,
  retention,
  type StreamSpec,
  streamNames,
  TELEMETRY_PARTITIONS,
  telemetryPartition,
  telemetryStreamSpec,
  unpartitionedTelemetry,
} from "./stream-spec.ts";
