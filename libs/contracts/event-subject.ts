import type { EventType } from "./event-type.ts";

/** One subject token: what NATS allows without wildcards, dots or spaces. Ids and project names are made so. */
const tokenPattern = /^[A-Za-z0-9_-]+$/;

function token(what: string, value: string): string {
  if (!tokenPattern.test(value)) throw new Error(`${what} "${value}" cannot be a subject token`);
  return value;
}

type Named = Pick<EventType, "service" | "entity" | "event" | "type">;

/**
 * The subject an event is published to: `trainyard.<project>.<service>.<entity>.<event>.v1.<aggregate id>`. The project
 * stands first so that a subscriber's permissions can follow it; names that people choose never enter a subject.
 */
export function eventSubject(project: string, type: Named, id: string): string {
  const version = type.type.slice(type.type.lastIndexOf(".") + 1);
  return `trainyard.${token("project", project)}.${type.service}.${type.entity}.${type.event}.${version}.${token("id", id)}`;
}

/** A filter for events of a service, narrowed by entity and event; `*` where nothing is given. */
export function eventFilter(service: string, entity = "*", event = "*", project = "*"): string {
  return `trainyard.${project}.${service}.${entity}.${event}.*.*`;
}

/** The JetStream stream that keeps a service's events: "EVENTS_SCHEDULER". */
export function eventStreamName(service: string): string {
  return `EVENTS_${service.toUpperCase().replaceAll("-", "_")}`;
}
