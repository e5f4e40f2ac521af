import { type EventType, eventSubject } from "@trainyard/contracts";

/** Place of the event's name in `trainyard.<project>.<service>.<entity>.<event>.v1.<id>`. */
const EVENT_TOKEN = 4;

/**
 * The filter that all subjects of one aggregate match, whatever the event: the stream keeps order over all of them.
 * It is also the aggregate's name in outbox and inbox.
 */
export function aggregateFilter(project: string, type: EventType, id: string): string {
  const tokens = eventSubject(project, type, id).split(".");
  tokens[EVENT_TOKEN] = "*";
  return tokens.join(".");
}
