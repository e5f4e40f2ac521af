import { eventServices, eventStreamName } from "@trainyard/contracts";
import { inboxPrefix } from "./inbox-prefix.ts";
import { buckets } from "./kv.ts";
import { changedSubjects, followedSubjects } from "./run-words.ts";
import { metricCallSubject, streamNames } from "./stream-spec.ts";

/** Subjects a user may publish to or subscribe to. */
export interface SubjectRule {
  readonly allow: readonly string[];
  readonly deny?: readonly string[];
}

/** What a user may do. */
export interface NatsPermissions {
  readonly publish: SubjectRule;
  readonly subscribe: SubjectRule;
}

const kvStream = (bucket: string) => `KV_${bucket}`;
const everyEventStream = eventServices.map(eventStreamName);

/** Making a stream what its spec says. */
const owns = (stream: string) => [
  `$JS.API.STREAM.INFO.${stream}`,
  `$JS.API.STREAM.CREATE.${stream}`,
  `$JS.API.STREAM.UPDATE.${stream}`,
  `$JS.API.STREAM.MSG.GET.${stream}`,
  `$JS.API.DIRECT.GET.${stream}`,
  `$JS.API.DIRECT.GET.${stream}.>`,
];

/** Having consumers on a stream. */
const consumes = (stream: string) => [
  `$JS.API.STREAM.INFO.${stream}`,
  `$JS.API.CONSUMER.CREATE.${stream}.>`,
  `$JS.API.CONSUMER.CREATE.${stream}`,
  `$JS.API.CONSUMER.DURABLE.CREATE.${stream}.>`,
  `$JS.API.CONSUMER.INFO.${stream}.>`,
  `$JS.API.CONSUMER.DELETE.${stream}.>`,
  `$JS.API.CONSUMER.MSG.NEXT.${stream}.>`,
  `$JS.ACK.${stream}.>`,
];

const basics = ["$JS.API.INFO", "$JS.FC.>"];

function servicePublishes(service: string): readonly string[] {
  const own = [
    ...basics,
    `trainyard.*.${service}.>`,
    "dead-letters.>",
    ...owns(eventStreamName(service)),
    ...everyEventStream.flatMap(consumes),
  ];
  switch (service) {
    case "scheduler":
      // The only user that may write desired state: whoever can, runs code on every node.
      return [
        ...own,
        "agents.*.stacks",
        ...Object.values(buckets).flatMap((bucket) => [
          ...owns(kvStream(bucket)),
          ...consumes(kvStream(bucket)),
          `$KV.${bucket}.>`,
        ]),
      ];
    case "tracking":
      return [
        ...own,
        ...owns(streamNames.telemetry),
        ...consumes(streamNames.telemetry),
        ...owns(streamNames.metricCalls),
        `$JS.API.STREAM.PURGE.${streamNames.metricCalls}`,
        metricCallSubject("*", "*"),
        followedSubjects,
        changedSubjects,
      ];
    case "gateway":
      // Shows every event, and looks up, replays and removes dead letters of every stream.
      return [
        ...own,
        ...[streamNames.deadLetters, streamNames.advisories].flatMap((stream) => [
          ...owns(stream),
          ...consumes(stream),
        ]),
        `$JS.API.STREAM.MSG.DELETE.${streamNames.deadLetters}`,
        ...[...everyEventStream, streamNames.telemetry].map((stream) => `$JS.API.STREAM.MSG.GET.${stream}`),
        "trainyard.>",
        "telemetry.>",
      ];
    default:
      return own;
  }
}

function agentPublishes(nodeId: string): readonly string[] {
  const desired = kvStream(buckets.desired);
  const rendezvous = kvStream(buckets.rendezvous);
  const ownKey = `$KV.${buckets.desired}.node.${nodeId}`;
  return [
    ...basics,
    `agents.${nodeId}.heartbeat`,
    // Answers have a subject of their own: in another's inbox a forged answer of JetStream could lie.
    `agents.${nodeId}.stack-replies.*`,
    "telemetry.*.*.*.*.*",
    // "<job>.<attempt>.<node>": what a node tells its gangs, nobody tells in its name.
    `$KV.${buckets.rendezvous}.*.*.${nodeId}`,
    `$KV.${buckets.rendezvous}.*.*.${nodeId}.handover`,
    `$JS.API.STREAM.INFO.${desired}`,
    // The filter is part of the subject, so this consumer can see the node's own key and no other.
    `$JS.API.CONSUMER.CREATE.${desired}.*.${ownKey}`,
    `$JS.API.CONSUMER.INFO.${desired}.>`,
    `$JS.API.CONSUMER.DELETE.${desired}.>`,
    `$JS.API.CONSUMER.MSG.NEXT.${desired}.>`,
    `$JS.API.DIRECT.GET.${desired}.${ownKey}`,
    `$JS.ACK.${desired}.>`,
    // Reading back what it wrote must not return the bytes as they are, as a direct get or a consumer would: the server
    // sends an answer to any reply subject without asking for the right to publish there, another node's key included.
    `$JS.API.STREAM.INFO.${rendezvous}`,
    `$JS.API.STREAM.MSG.GET.${rendezvous}`,
  ];
}

/** What a service hears beside its answers. */
const alsoHears: Readonly<Record<string, readonly string[]>> = {
  scheduler: ["agents.*.heartbeat", "agents.*.stack-replies.*"],
  tracking: [followedSubjects, changedSubjects],
  gateway: ["trainyard.>"],
};

/**
 * The least permissions of a user by its role: a service's name, "worker-agent" (with its node), "subscriber" (reads
 * events, publishes nothing) or "admin" (everything: tests and repairs).
 */
export function natsPermissions(
  role: string,
  { nodeId }: { readonly nodeId?: string } = {},
): NatsPermissions {
  const inbox = (name: string) => `${inboxPrefix(name)}.>`;
  switch (role) {
    case "admin":
      return { publish: { allow: [">"] }, subscribe: { allow: [">"] } };
    case "subscriber":
      return {
        publish: { allow: [], deny: [">"] },
        subscribe: { allow: ["trainyard.>", inbox(role)] },
      };
    case "agent":
    case "worker-agent": {
      if (nodeId === undefined) throw new Error("an agent's permissions need its node");
      return {
        publish: { allow: agentPublishes(nodeId) },
        // Which run is followed tells no more than its id; a node asks for its own runs'.
        subscribe: { allow: [inbox(`agent-${nodeId}`), `agents.${nodeId}.stacks`, followedSubjects] },
      };
    }
    default: {
      if (!eventServices.includes(role)) throw new Error(`no permissions are known for "${role}"`);
      return {
        publish: { allow: servicePublishes(role) },
        subscribe: { allow: [inbox(role), ...(alsoHears[role] ?? [])] },
      };
    }
  }
}
