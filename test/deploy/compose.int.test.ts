import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseEnv } from "node:util";
import { findMongod, findNatsServer, preparePlatform, serviceNames } from "@trainyard/local";
import { atFileEnd, freePort, spawnScript, tempDir, waitFor } from "@trainyard/testing";
import { beforeAll, describe, expect, it } from "vitest";
import { writeAgentFiles } from "../../deploy/compose/agent-files.ts";
import { composeService, readCompose } from "./deployment-files.ts";

const compose = readCompose();
const stateInContainer = "/var/lib/trainyard/state";

describe("preparing the containers' volumes", () => {
  it("gives the agent its own files, the same ones each time, and no service's secret", async () => {
    const [state, agent] = [tempDir("state"), tempDir("agent")];
    const prepare = () =>
      spawnScript("prepare", {
        script: composeService(compose, "prepare").command?.[0] ?? "",
        env: { TRAINYARD_STATE_DIR: state, TRAINYARD_AGENT_DIR: agent },
      });
    const contents = () =>
      readdirSync(agent, { withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map(({ name }) => [name, readFileSync(join(agent, name), "utf8")]);
    const first = await prepare();
    expect(await first.exited, first.output()).toBe(0);
    const before = contents();
    expect(await (await prepare()).exited).toBe(0);
    expect(contents()).toEqual(before);
    expect(before.map(([name]) => name)).toEqual(["agent.env", "jwks.json", "key.json", "nats.seed"]);
    const env = parseEnv(readFileSync(join(agent, "agent.env"), "utf8"));
    expect(env).toMatchObject({
      TRAINYARD_NODE_ID: "agent-1",
      TRAINYARD_TRACKING_URL: "http://tracking:7072",
      TRAINYARD_NATS_URL: "nats://nats:7422",
      TRAINYARD_AGENT_DIR: join(agent, "work"),
    });
    // The container sees nothing of the state folder; the blobs' address there is set by the compose file.
    const { TRAINYARD_BLOB_URL: _, ...mounted } = env;
    expect(JSON.stringify(mounted)).not.toContain(state);
    expect(composeService(compose, "agent").environment).toHaveProperty("TRAINYARD_BLOB_URL");
  });
});

describe("the compose file's commands", () => {
  const dir = tempDir("compose");

  /** A server's command as the compose file has it, moved to this test's folder, ports and loopback. */
  async function serve(program: string, words: readonly string[]): Promise<ChildProcess> {
    const { ports } = await preparePlatform(dir);
    const args = words.map((word) =>
      word
        .replace(stateInContainer, dir)
        .replace("--port=7717", `--port=${ports.mongod}`)
        .replace("--bind_ip_all", "--bind_ip=127.0.0.1"),
    );
    const child = spawn(program, args, { stdio: "ignore" });
    atFileEnd(async () => {
      const closed = once(child, "close");
      if (child.kill("SIGKILL")) await closed;
    });
    return child;
  }

  async function mongodUsers(): Promise<void> {
    const users = await spawnScript("mongod-users", {
      script: composeService(compose, "mongod-users").command?.[0] ?? "",
      env: { TRAINYARD_STATE_DIR: dir },
    });
    expect(await users.exited, users.output()).toBe(0);
  }

  beforeAll(async () => {
    const platform = await preparePlatform(dir, { ports: "free", hosts: { mongod: "localhost" } });
    await platform.addAgent("agent-1", { slots: 2 });
    await platform.writeServerFiles();
    const monitor = await freePort();
    const nats = composeService(compose, "nats").command ?? [];
    await serve(
      findNatsServer(),
      nats.map((word) => (word === "8222" ? String(monitor) : word)),
    );
    const [program, ...mongod] = composeService(compose, "mongod").command ?? [];
    expect(program).toBe("mongod");
    await serve(findMongod(), mongod);
    const healthz = composeService(compose, "nats").healthcheck?.test?.at(-1) ?? "";
    await waitFor(
      "nats to be healthy",
      async () => (await fetch(healthz.replace("8222", String(monitor)))).ok,
    );
    await mongodUsers();
  });

  it("make the database's users a second time without harm", () => mongodUsers());

  it.each(serviceNames)("start %s, which becomes ready", async (name) => {
    const platform = await preparePlatform(dir);
    const [script = "", ...args] = composeService(compose, name).command ?? [];
    await spawnScript(name, {
      script,
      args,
      env: { TRAINYARD_STATE_DIR: dir },
      readyUrl: `${platform.url(name)}/readyz`,
    });
  });

  it("start the agent from its own files alone", async () => {
    const platform = await preparePlatform(dir);
    const own = tempDir("agent");
    writeAgentFiles(platform, "agent-1", own);
    const [envFile, script = ""] = composeService(compose, "agent").command ?? [];
    expect(envFile).toBe("--env-file=/var/lib/trainyard/agent/agent.env");
    const env = parseEnv(readFileSync(join(own, "agent.env"), "utf8")) as Record<string, string>;
    await spawnScript("agent", { script, env, readyUrl: `http://127.0.0.1:${platform.ports.agent}/readyz` });
  });

  it("call a service healthy that is ready, and one that is not there unhealthy", async () => {
    const { ports } = await preparePlatform(dir);
    const check = async (port: number) => {
      const env = { TRAINYARD_LISTEN_PORT: String(port) };
      return (await spawnScript("health check", { script: "deploy/health-check.ts", env })).exited;
    };
    expect(await check(ports.gateway)).toBe(0);
    expect(await check(await freePort())).toBe(1);
  });
});
