import { create, type JsonObject } from "@bufbuild/protobuf";
import { timestampDate } from "@bufbuild/protobuf/wkt";
import type { ServiceImpl } from "@connectrpc/connect";
import type { Bus } from "@trainyard/bus";
import { eventFilter, gateway } from "@trainyard/contracts";
import { principalOf } from "@trainyard/service";
import type { Logger } from "@trainyard/telemetry";
import { servicesOf } from "../events/event-query.ts";
import { mergeByTime } from "../events/merge-by-time.ts";
import { streamEvents } from "../events/stream-events.ts";

/** EventService: the events of the caller's project. */
export function eventService(bus: Bus, logger: Logger): ServiceImpl<typeof gateway.EventService> {
  return {
    async *tailEvents(request, context) {
      const { entity, event, since, follow } = request;
      const { project = "default" } = principalOf(context);
      const services = servicesOf(request);
      const reads = services.map((service) =>
        streamEvents(bus, {
          service,
          filter: eventFilter(service, entity || "*", event || "*", project),
          follow,
          signal: context.signal,
          logger,
          ...(since === undefined ? {} : { since: timestampDate(since) }),
        }),
      );
      for await (const seen of mergeByTime(reads)) {
        // A CloudEvent came out of JSON, so it is JSON.
        const shown = seen.event as unknown as JsonObject;
        yield create(gateway.TailEventsResponseSchema, { event: shown, subject: seen.subject });
      }
    },
  };
}
