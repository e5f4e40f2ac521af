import { DeliverPolicy } from "@nats-io/jetstream";
import type { Bus } from "@trainyard/bus";
import { type CloudEvent, eventStreamName, peekCloudEvent } from "@trainyard/contracts";

/** Every event of a service as it stands in its stream, in the stream's order. */
export async function eventsOf(bus: Bus, service: string): Promise<readonly CloudEvent[]> {
  const stream = eventStreamName(service);
  const { state } = await bus.jsm.streams.info(stream);
  if (state.messages === 0) return [];
  const found: CloudEvent[] = [];
  const consumer = await bus.js.consumers.get(stream, { deliver_policy: DeliverPolicy.All });
  for await (const message of await consumer.consume()) {
    found.push(peekCloudEvent(message.data));
    if (message.seq >= state.last_seq) break;
  }
  return found;
}

/** What is wrong with a stream: an event that stands in it twice, an aggregate told out of order. In words. */
export function faultsOf(service: string, events: readonly CloudEvent[]): readonly string[] {
  const faults: string[] = [];
  const seen = new Set<string>();
  const versions = new Map<string, number>();
  for (const { id, type, subject, aggregateversion } of events) {
    if (seen.has(id)) faults.push(`${type} ${id} is in ${service}'s stream twice`);
    seen.add(id);
    const before = versions.get(subject) ?? 0;
    if (aggregateversion < before)
      faults.push(`${type} tells version ${aggregateversion} of ${subject} after version ${before}`);
    versions.set(subject, aggregateversion);
  }
  return faults;
}
