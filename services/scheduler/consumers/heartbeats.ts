import { fromBinary } from "@bufbuild/protobuf";
import type { Bus } from "@trainyard/bus";
import { workeragent } from "@trainyard/contracts";
import type { Part } from "@trainyard/service";
import type { Logger } from "@trainyard/telemetry";
import type { Fleet } from "../fleet.ts";
import { LEADER_TOPIC, type Wake } from "../wake.ts";
import { HeartbeatError, heartbeatFromProto } from "../wire/heartbeat-from-proto.ts";

/** Largest heartbeat that is looked at, in bytes. */
export const MAX_HEARTBEAT_BYTES = 1024 * 1024;

/** A heartbeat is told by its subject's node and no other: who may publish there is decided by the bus. */
export const HEARTBEAT_SUBJECT = "agents.*.heartbeat";

/** What happens to one message; exported for tests. Never throws: nothing an agent sends can stop the scheduler. */
export function hearMessage(
  deps: { readonly fleet: Fleet; readonly wake: Wake; readonly logger: Logger },
  subject: string,
  bytes: Uint8Array,
): void {
  try {
    if (bytes.byteLength > MAX_HEARTBEAT_BYTES)
      throw new HeartbeatError(`${bytes.byteLength} bytes is too large`);
    const heartbeat = heartbeatFromProto(fromBinary(workeragent.NodeHeartbeatSchema, bytes));
    if (subject !== `agents.${heartbeat.nodeId}.heartbeat`)
      throw new HeartbeatError("the subject is another node's");
    if (deps.fleet.hear(heartbeat, performance.now(), new Date()) === "changed")
      deps.wake.raise(LEADER_TOPIC);
  } catch (error) {
    deps.logger.warn({ subject, err: error }, "a heartbeat cannot be used");
  }
}

/** Listens to the agents' heartbeats on core NATS: a lost one is made up for by the next, so nothing is stored. */
export function heartbeats(deps: {
  readonly bus: Bus;
  readonly fleet: Fleet;
  readonly wake: Wake;
  readonly logger: Logger;
}): Part {
  let stop = () => {};
  return {
    name: "heartbeats",
    async start() {
      const subscription = deps.bus.nc.subscribe(HEARTBEAT_SUBJECT, {
        callback: (error, message) => {
          if (error !== null) deps.logger.warn({ err: error }, "the heartbeat subscription failed");
          else hearMessage(deps, message.subject, message.data);
        },
      });
      stop = () => subscription.unsubscribe();
      await deps.bus.nc.flush();
    },
    async stop() {
      stop();
    },
  };
}
