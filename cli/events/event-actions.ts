import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { gateway } from "@trainyard/contracts";
import { reconnecting } from "../follow/reconnecting.ts";
import type { Session } from "../session.ts";
import { parseMoment } from "../terminal/duration.ts";
import { style } from "../terminal/style.ts";
import { safeText } from "../terminal/text.ts";

/** The options of `events`. */
export interface EventsFlags {
  readonly follow?: boolean;
  readonly since?: string;
  readonly service?: string;
  readonly entity?: string;
  readonly event?: string;
}

/** Prints events, one a line. */
export async function events(session: Session, flags: EventsFlags): Promise<number> {
  const { events: client } = await session.clients();
  const follow = flags.follow === true;
  const since = flags.since ?? (follow ? undefined : "10m");
  const interrupted = new AbortController();
  const { signal } = interrupted;
  process.once("SIGINT", () => interrupted.abort());
  let from = since === undefined ? undefined : parseMoment(since, new Date());
  const stream = reconnecting(
    () =>
      client.tailEvents(
        {
          service: flags.service ?? "",
          entity: flags.entity ?? "",
          event: flags.event ?? "",
          follow,
          ...(from === undefined ? {} : { since: timestampFromDate(from) }),
        },
        { timeoutMs: 0, signal },
      ),
    () => follow,
    signal,
    (reason) => process.stderr.write(`${reason}\n`),
  );
  try {
    for await (const message of stream) {
      // After an interruption the stream goes on from the last event seen.
      from = timeOf(message.event) ?? from;
      if (session.json) session.printMessage(gateway.TailEventsResponseSchema, message, { indent: 0 });
      else session.print(eventLine(session, message));
    }
  } catch (error) {
    if (!signal.aborted) throw error;
    return 130;
  }
  return 0;
}

function eventLine(session: Session, { event, subject }: gateway.TailEventsResponse): string {
  const [, , service = "", entity = "", name = ""] = subject.split(".");
  const what = `${entity}.${name}`;
  const id = text(event?.subject);
  const by = text(event?.actor);
  const at = timeOf(event);
  const detail = summary(event?.data);
  if (!session.isTerminal) return [session.time(at), service, what, id, by, detail].map(safeText).join("\t");
  return [
    style.dim(session.time(at)),
    style.accent(safeText(what).padEnd(30)),
    safeText(id),
    safeText(detail),
    style.dim(by === "" ? "" : `by ${safeText(by)}`),
  ]
    .filter((part) => part !== "")
    .join("  ");
}

/** What is most telling in an event's data, wherever it lies: names, states, versions. */
function summary(data: JsonValue | undefined): string {
  const telling = ["name", "model", "version", "stage", "state", "status", "step", "number", "willRetry"];
  const found = new Map<string, string>();
  const visit = (value: JsonValue | undefined, depth: number) => {
    if (!isObject(value) || depth > 2) return;
    for (const [key, inner] of Object.entries(value)) {
      if (
        telling.includes(key) &&
        !found.has(key) &&
        (typeof inner !== "object" || inner === null) &&
        inner !== "-1"
      )
        found.set(key, shortEnum(key, String(inner)));
      visit(inner, depth + 1);
    }
  };
  visit(data, 0);
  return telling.flatMap((key) => (found.has(key) ? [`${key} ${found.get(key)}`] : [])).join(", ");
}

/** "MODEL_STATE_READY" as "ready" would need the enum's name; the last words after the type's are enough for people. */
function shortEnum(key: string, value: string): string {
  return /^[A-Z_]+$/.test(value)
    ? value.replace(new RegExp(`^.*${key.toUpperCase()}_`), "").toLowerCase()
    : value;
}

function timeOf(event: JsonObject | undefined): Date | undefined {
  const at = new Date(text(event?.time));
  return Number.isNaN(at.getTime()) ? undefined : at;
}

function text(value: JsonValue | undefined): string {
  return typeof value === "string" ? value : "";
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
