import { type EventType, eventSubject } from "@trainyard/contracts";

/** Places of entity, event and version in `trainyard.<project>.<service>.<entity>.<event>.v1.<id>`. */
const KIND_TOKENS = [3, 4, 5];

/**
 * The filter that all subjects of one aggregate match, whatever entity and event they name: the stream keeps order over
 * all of them. It is also the aggregate's name in outbox and inbox. An aggregate may speak of several entities (a job
 * tells of its attempts too), and its id is its own, so service and id alone name it.
 */
export function aggregateFilter(project: string, type: EventType, id: string): string {
  const tokens = eventSubject(project, type, id).split(".");
  for (const place of KIND_TOKENS) tokens[place] = "*";
  return tokens.join(".");
}
