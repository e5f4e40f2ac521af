import { readFileSync } from "node:fs";
import type { Message } from "@bufbuild/protobuf";
import type { GenMessage } from "@bufbuild/protobuf/codegenv2";
import { type Bus, connectBus, declareStream, eventStreamSpec } from "@trainyard/bus";
import { type CloudEvent, encodeCloudEvent, eventSubject, eventTypeOf } from "@trainyard/contracts";
import { newId } from "@trainyard/domain";
import type { Platform, ServiceName } from "@trainyard/local";
import { atFileEnd, testLogger } from "@trainyard/testing";

/** The bus as this service sees it, with its stream declared. */
export async function busOf(platform: Platform, service: ServiceName): Promise<Bus> {
  const env = platform.serviceEnv(service);
  const seed = readFileSync(env.TRAINYARD_NATS_SEED_FILE ?? "", "utf8");
  const bus = await connectBus({
    servers: platform.natsUrl,
    name: service,
    seed,
    logger: testLogger(service),
  });
  atFileEnd(() => bus.close());
  if (service !== "gateway") await declareStream(bus, eventStreamSpec(service));
  return bus;
}

/** Publishes an event as its service would. */
export async function publishEvent<T extends Message>(
  bus: Bus,
  schema: GenMessage<T>,
  subject: string,
  data: T,
): Promise<void> {
  const type = eventTypeOf(schema);
  const event: CloudEvent<T> = {
    specversion: "1.0",
    datacontenttype: "application/json",
    time: new Date().toISOString(),
    project: "default",
    actor: "user:ada",
    aggregateversion: 1,
    id: newId("evt"),
    source: `/trainyard/${type.service}`,
    type: type.type,
    subject,
    data,
  };
  const bytes = encodeCloudEvent(schema, event);
  await bus.publish(eventSubject("default", type, subject), bytes, { msgId: event.id });
}
