import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import {
  CloudEventError,
  decodeCloudEvent,
  encodeCloudEvent,
  eventFilter,
  eventStreamName,
  eventSubject,
  eventTypeOf,
  eventTypes,
  peekCloudEvent,
  scheduler,
} from "./index.ts";

const envelope = {
  specversion: "1.0",
  id: "evt_1",
  source: "/trainyard/scheduler",
  type: "trainyard.scheduler.node.joined.v1",
  subject: "node_1",
  time: "2026-01-01T00:00:00.000Z",
  datacontenttype: "application/json",
  project: "default",
  actor: "service:scheduler",
  aggregateversion: 3,
} as const;

describe("event catalogue", () => {
  it("gives every event one type, and its service's own", () => {
    const types = eventTypes.map(({ type }) => type);
    expect(new Set(types).size).toBe(types.length);
    expect(types).toContain("trainyard.registry.model_version.stage_changed.v1");
    for (const { type, service } of eventTypes) expect(type.split(".")[1]).toBe(service);
  });

  it("derives the subject from the type", () => {
    const type = eventTypeOf(scheduler.JobSubmittedSchema);
    expect(eventSubject("default", type, "job_1")).toBe("trainyard.default.scheduler.job.submitted.v1.job_1");
    expect(eventFilter("scheduler", "job")).toBe("trainyard.*.scheduler.job.*.*.*");
    expect(eventStreamName("worker-agent")).toBe("EVENTS_WORKER_AGENT");
  });

  it("refuses a project that would change the subject", () => {
    const type = eventTypeOf(scheduler.JobSubmittedSchema);
    for (const project of ["a.b", "*", ">", "a b", ""])
      expect(() => eventSubject(project, type, "x")).toThrow(/project/);
  });

  it("refuses a message that is no event", () => {
    expect(() => eventTypeOf(scheduler.JobSchema)).toThrow(/not a domain event/);
  });
});

describe("cloud event", () => {
  const data = create(scheduler.NodeJoinedSchema, { nodeId: "node_1", slots: 2 });

  it("comes back as it was", () => {
    const bytes = encodeCloudEvent(scheduler.NodeJoinedSchema, { ...envelope, data });
    expect(decodeCloudEvent(scheduler.NodeJoinedSchema, bytes)).toEqual({ ...envelope, data });
    expect(peekCloudEvent(bytes).data).toEqual({ nodeId: "node_1", slots: 2 });
  });

  it("is read although a newer publisher added a field", () => {
    const bytes = new TextEncoder().encode(
      JSON.stringify({ ...envelope, data: { nodeId: "n", brandNew: [1] } }),
    );
    expect(decodeCloudEvent(scheduler.NodeJoinedSchema, bytes).data.nodeId).toBe("n");
  });

  it.each([
    ["no JSON", "{"],
    ["no object", "3"],
    ["another version of the specification", JSON.stringify({ ...envelope, specversion: "0.3", data: {} })],
    ["a missing attribute", JSON.stringify({ ...envelope, subject: undefined, data: {} })],
    ["data of another type", JSON.stringify({ ...envelope, data: { slots: "many" } })],
  ])("refuses %s", (_what, text) => {
    const bytes = new TextEncoder().encode(text);
    expect(() => decodeCloudEvent(scheduler.NodeJoinedSchema, bytes)).toThrow(CloudEventError);
  });
});
