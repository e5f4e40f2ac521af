import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect, nkeyAuthenticator } from "@nats-io/transport-node";
import { generateNkey } from "@trainyard/bus";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type NatsServer, startNatsServer } from "./nats-server.ts";

const dir = mkdtempSync(join(tmpdir(), "trainyard-nats-"));
const { publicKey, seed } = generateNkey();
const everything = { allow: [">"], deny: [] };
const users = [{ name: "tester", publicKey, publish: everything, subscribe: everything }];
let server: NatsServer;

const client = () =>
  connect({ servers: server.url, authenticator: nkeyAuthenticator(Buffer.from(seed)), reconnect: false });

beforeAll(async () => {
  server = await startNatsServer({ dir, users, dieWithParent: true });
});

afterAll(async () => {
  await server.stop();
  rmSync(dir, { recursive: true, force: true });
});

it("keeps what a stream has acknowledged over a SIGKILL and a restart on the same port", async () => {
  const before = await client();
  await (await jetstreamManager(before)).streams.add({ name: "KEEP", subjects: ["keep.>"] });
  expect((await jetstream(before).publish("keep.this", "word")).seq).toBe(1);
  await before.close();

  const url = server.url;
  await server.kill("SIGKILL");
  await server.restart();

  expect(server.url).toBe(url);
  const after = await client();
  const kept = await (await jetstreamManager(after)).streams.getMessage("KEEP", { seq: 1 });
  expect(kept?.string()).toBe("word");
  await after.close();
});

it("finds port and streams again when the folder is started anew", async () => {
  const url = server.url;
  await server.stop();
  server = await startNatsServer({ dir, users, dieWithParent: true });
  expect(server.url).toBe(url);
  const again = await client();
  expect((await (await jetstreamManager(again)).streams.info("KEEP")).state.messages).toBe(1);
  await again.close();
});

it("says so when another program has the port, and does not take that program for its own", async () => {
  const other = mkdtempSync(join(tmpdir(), "trainyard-nats-"));
  await expect(startNatsServer({ dir: other, port: server.port, users })).rejects.toThrow(
    /another program listens on 127\.0\.0\.1/,
  );
  rmSync(other, { recursive: true, force: true });
});
