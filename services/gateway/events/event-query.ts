import { eventServices, eventTypes } from "@trainyard/contracts";
import { DomainError } from "@trainyard/domain";

/** Which events to show; an empty text means all. */
export interface EventQuery {
  readonly service: string;
  readonly entity: string;
  readonly event: string;
}

/** The services whose streams hold such events. Throws `invalid_argument` EVENT_UNKNOWN when there can be none. */
export function servicesOf(query: EventQuery): readonly string[] {
  assertKnown("service", query.service, eventServices);
  const ofService = eventTypes.filter(({ service }) => query.service === "" || service === query.service);
  assertKnown("entity", query.entity, [...new Set(ofService.map(({ entity }) => entity))]);
  const ofEntity = ofService.filter(({ entity }) => query.entity === "" || entity === query.entity);
  assertKnown("event", query.event, [...new Set(ofEntity.map(({ event }) => event))]);
  const matching = ofEntity.filter(({ event }) => query.event === "" || event === query.event);
  return [...new Set(matching.map(({ service }) => service))];
}

function assertKnown(field: string, value: string, known: readonly string[]): void {
  if (value === "" || known.includes(value)) return;
  const description = `expected one of ${known.join(", ")}, or empty for all; got ${JSON.stringify(value.slice(0, 64))}`;
  throw new DomainError("invalid_argument", "EVENT_UNKNOWN", `${field}: ${description}.`, {
    violations: [{ field, description }],
  });
}
