import { describe, expect, it, onTestFinished } from "vitest";
import {
  createKv,
  declareStream,
  done,
  eventStreamSpec,
  hearFollowed,
  isKvConflict,
  metricCallStreamSpec,
  metricCallSubject,
  openKv,
  telemetryStreamSpec,
  tellFollowed,
} from "./index.ts";
import { busOf, consumer, freshStream, stream, subject, text, until, useBusServer } from "./test-server.ts";

useBusServer();

describe("permissions", () => {
  it("let each service make its own stream and consume another's", async () => {
    await (await busOf("test")).jsm.streams.delete(stream).catch(() => undefined);
    const scheduler = await busOf("scheduler");
    await declareStream(scheduler, eventStreamSpec("scheduler"));
    const seen: number[] = [];
    await consumer(await busOf("registry"), async ({ seq }) => {
      seen.push(seq);
      return done;
    });
    await scheduler.publish(subject("a"), text("x"), { msgId: "1" });
    await until(() => expect(seen).toEqual([1]));
  });

  it("keep a service from publishing as another, and from another's stream", async () => {
    const bus = await busOf("registry");
    await expect(bus.publish(subject("a"), text("x"), { msgId: "forged" })).rejects.toThrow();
    await expect(declareStream(bus, telemetryStreamSpec())).rejects.toThrow();
  });

  it("let the scheduler write desired state and the node read its own", async () => {
    const desired = await createKv(await busOf("scheduler"), "desired");
    await desired.put("node.node_a", "run this");
    const agent = await busOf("agent-node_a");
    const own = await openKv(agent, "desired");
    expect((await own.get("node.node_a"))?.string()).toBe("run this");
    const watch = await own.watch({ key: "node.node_a" });
    onTestFinished(() => watch.stop());
    for await (const entry of watch) {
      expect(entry.string()).toBe("run this");
      break;
    }
  });

  it("keep a node from writing desired state and from reading another's", async () => {
    const desired = await createKv(await busOf("scheduler"), "desired");
    await desired.put("node.node_b", "secret");
    const agent = await busOf("agent-node_a");
    const kv = await openKv(agent, "desired");
    await expect(kv.put("node.node_a", "mine")).rejects.toThrow();
    await expect(kv.get("node.node_b")).rejects.toThrow();
    await expect(kv.watch({ key: "node.node_b" })).rejects.toThrow();
    await expect(kv.watch()).rejects.toThrow();
  });

  it("let a subscriber read events and publish nothing", async () => {
    const admin = await freshStream();
    const bus = await busOf("subscriber");
    const subscription = bus.nc.subscribe("trainyard.>", { max: 1 });
    await bus.nc.flush();
    await admin.publish(subject("a"), text("news"), { msgId: "1" });
    for await (const message of subscription) expect(message.string()).toBe("news");
    await expect(bus.publish(subject("b"), text("x"), { msgId: "2" })).rejects.toThrow();
    await expect(bus.jsm.streams.info(stream)).rejects.toThrow();
  });

  it("let a node hear which of its runs is followed, and tracking alone tell it", async () => {
    const heard: string[] = [];
    const agent = await busOf("agent-node_a");
    onTestFinished(hearFollowed(agent, "run_1", (runId) => heard.push(runId)));
    await agent.nc.flush();
    const [tracking, other] = [await busOf("tracking"), await busOf("agent-node_b")];
    tellFollowed(other, "run_1");
    await other.nc.flush();
    expect(heard).toEqual([]);
    tellFollowed(tracking, "run_2");
    tellFollowed(tracking, "run_1");
    await until(() => expect(heard).toEqual(["run_1"]));
  });

  it("let tracking alone put calls into its stream, read them and take them out", async () => {
    const tracking = await busOf("tracking");
    const spec = metricCallStreamSpec();
    await declareStream(tracking, spec);
    const call = metricCallSubject("replica", "run_1");
    const { seq } = await tracking.publish(call, text("points"), { msgId: "points" });
    for (const name of ["gateway", "scheduler", "agent-node_a", "subscriber"]) {
      const other = await busOf(name);
      await expect(other.publish(call, text("forged"), { msgId: `forged by ${name}` })).rejects.toThrow();
      await expect(other.jsm.streams.getMessage(spec.name, { seq })).rejects.toThrow();
      await expect(other.jsm.streams.purge(spec.name)).rejects.toThrow();
    }
    expect((await tracking.jsm.streams.getMessage(spec.name, { seq }))?.string()).toBe("points");
    await tracking.jsm.streams.purge(spec.name, { filter: call, seq: seq + 1 });
    expect((await tracking.jsm.streams.info(spec.name)).state.messages).toBe(0);
  });

  it("tell a lost compare-and-set from other errors", async () => {
    const kv = await createKv(await busOf("scheduler"), "desired");
    const revision = await kv.put("node.node_c", "1");
    await kv.update("node.node_c", "2", revision);
    const error: unknown = await kv.update("node.node_c", "3", revision).catch((caught: unknown) => caught);
    expect(isKvConflict(error)).toBe(true);
  });

  it("let nodes leave and read the rendezvous", async () => {
    await createKv(await busOf("scheduler"), "rendezvous");
    const kv = await openKv(await busOf("agent-node_a"), "rendezvous");
    await kv.put("job_1.1.node_a", "host:port");
    await kv.put("job_1.1.node_a.handover", "a word");
    const other = await openKv(await busOf("agent-node_b"), "rendezvous");
    expect((await other.get("job_1.1.node_a"))?.string()).toBe("host:port");
    expect((await other.get("job_1.1.node_a.handover"))?.string()).toBe("a word");
  });

  it.each(["job_1.1.node_a", "job_1.1.node_a.handover", "job_1.1", "job_1.1.node_a.node_b"])(
    "keep a node from telling %s to a gang in another node's name",
    async (key) => {
      await createKv(await busOf("scheduler"), "rendezvous");
      const kv = await openKv(await busOf("agent-node_b"), "rendezvous");
      await expect(kv.put(key, "forged")).rejects.toThrow(/permission/i);
    },
  );

  it.each([
    ["a direct get", "$JS.API.DIRECT.GET.KV_rendezvous.$KV.rendezvous.x.1.node_a", ""],
    [
      "the stream's API",
      "$JS.API.STREAM.MSG.GET.KV_rendezvous",
      { last_by_subj: "$KV.rendezvous.x.1.node_a" },
    ],
    [
      "a push consumer",
      "$JS.API.CONSUMER.CREATE.KV_rendezvous.forge.$KV.rendezvous.x.1.node_a",
      {
        stream_name: "KV_rendezvous",
        config: {
          name: "forge",
          ack_policy: "none",
          filter_subject: "$KV.rendezvous.x.1.node_a",
          deliver_subject: "$KV.desired.node.node_b",
        },
      },
    ],
  ])("keep a node from having its own bytes sent to another's key by %s", async (_, api, request) => {
    const scheduler = await busOf("scheduler");
    const desired = await createKv(scheduler, "desired", { allow_direct: true });
    await createKv(scheduler, "rendezvous", { allow_direct: true });
    await desired.put("node.node_b", "honest");
    // A push consumer only delivers where somebody listens.
    (await busOf("test")).nc.subscribe("$KV.desired.>", { callback: () => undefined });
    const agent = await busOf("agent-node_a");
    await (await openKv(agent, "rendezvous")).put("x.1.node_a", "forged");
    const body = typeof request === "string" ? request : JSON.stringify(request);
    agent.nc.publish(api, body, { reply: "$KV.desired.node.node_b" });
    await agent.nc.flush();
    // Requests are answered in order, so this one's answer comes after the forgery's.
    await (await openKv(agent, "rendezvous")).get("x.1.node_a");
    for await (const key of await desired.history({ key: "node.node_b" })) {
      expect(key.string()).not.toBe("forged");
    }
  });

  it("keep a node's consumer at its own key, whatever filter it asks for", async () => {
    const desired = await createKv(await busOf("scheduler"), "desired");
    await desired.put("node.node_b", "secret");
    const agent = await busOf("agent-node_a");
    const own = "$JS.API.CONSUMER.CREATE.KV_desired.wide.$KV.desired.node.node_a";
    const other = "$KV.desired.node.node_b";
    const filters = [{}, { filter_subject: other }, { filter_subjects: [other] }];
    for (const filter of filters) {
      const config = { name: "wide", ack_policy: "none", ...filter };
      const answer = await agent.nc.request(own, JSON.stringify({ stream_name: "KV_desired", config }));
      expect(answer.json()).toHaveProperty("error");
    }
  });
});
