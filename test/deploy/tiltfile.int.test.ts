import { existsSync } from "node:fs";
import { join } from "node:path";
import { checkoutRoot, defaultPorts, preparePlatform, serviceNames } from "@trainyard/local";
import { spawnScript, tempDir, waitFor } from "@trainyard/testing";
import { beforeAll, describe, expect, it } from "vitest";
import { composeService, isKnownVariable, readCompose } from "./deployment-files.ts";
import { type TiltResource, tiltResources } from "./tilt-resources.ts";

const resources = tiltResources();
const node = join(checkoutRoot, "node_modules/.bin/node");

function resource(name: string): TiltResource {
  const found = resources.find((candidate) => candidate.name === name);
  if (found === undefined) throw new Error(`the Tiltfile has no resource "${name}"`);
  return found;
}

describe("the Tiltfile", () => {
  it("runs every service, the agent and both servers, each ready on the platform's own port", () => {
    const ports = resources.flatMap(({ name, readiness_probe }) => {
      const action = readiness_probe?.http_get ?? readiness_probe?.tcp_socket;
      return action === undefined || action === null ? [] : [[name, action.port]];
    });
    expect(Object.fromEntries(ports)).toEqual(defaultPorts);
  });

  it("asks each service's /readyz", () => {
    for (const name of [...serviceNames, "agent"])
      expect(resource(name).readiness_probe?.http_get?.path, name).toBe("/readyz");
  });

  it("restarts a service when its own folder or a lib changes", () => {
    for (const name of serviceNames)
      expect(resource(name).deps).toEqual(expect.arrayContaining([`services/${name}`, "libs"]));
    expect(resource("agent").deps).toContain("services/worker-agent");
    for (const { deps = [] } of resources)
      for (const path of deps) expect(existsSync(join(checkoutRoot, path)), path).toBe(true);
  });

  it("waits for resources that exist, and sets variables that are read", () => {
    const names = resources.map(({ name }) => name);
    for (const { name, resource_deps = [], env, serve_env } of resources) {
      expect(names, name).toEqual(expect.arrayContaining([...resource_deps]));
      const variables = Object.keys({ ...env, ...serve_env });
      const service = serviceNames.find((known) => known === name) ?? "worker-agent";
      expect(
        variables.filter((variable) => !isKnownVariable(variable, service)),
        name,
      ).toEqual([]);
    }
  });
});

describe("the Tiltfile's commands", () => {
  const dir = tempDir("tilt");

  /** As Tilt would, but on this test's own state folder, whose ports are free ones. */
  function run(name: string, readyUrl?: string) {
    const { cmd, serve_cmd, env, serve_env } = resource(name);
    const [program, script = "", ...args] = serve_cmd ?? cmd ?? [];
    expect(program).toBe(node);
    const own = { ...env, ...serve_env, TRAINYARD_STATE_DIR: dir };
    if ("TRAINYARD_BOOTSTRAP_FILE" in own) own.TRAINYARD_BOOTSTRAP_FILE = join(dir, "secrets/tokens.json");
    return spawnScript(name, {
      script,
      args,
      env: own,
      ...(readyUrl === undefined ? {} : { readyUrl }),
    });
  }

  beforeAll(async () => {
    await preparePlatform(dir, { ports: "free" });
    const prepared = await run("prepare");
    expect(await prepared.exited, prepared.output()).toBe(0);
    const servers = await Promise.all([run("nats"), run("mongod")]);
    for (const { name, output } of servers)
      await waitFor(`${name} to listen`, () => output().includes("listens on port"));
  });

  it("start each service as the compose file does, whose tests start them all", () => {
    const compose = readCompose();
    for (const name of serviceNames)
      expect(resource(name).serve_cmd).toEqual([node, ...(composeService(compose, name).command ?? [])]);
  });

  it.each(["gateway", "agent"] as const)(
    "start %s, which becomes ready",
    async (name) => {
      const { ports } = await preparePlatform(dir);
      await run(name, `http://127.0.0.1:${ports[name]}/readyz`);
    },
    90_000,
  );

  it("gave the first tokens where the Tiltfile says", () => {
    expect(existsSync(join(dir, "secrets/tokens.json"))).toBe(true);
  });

  it("refuse a service that does not exist, and name those that do", async () => {
    const wrong = await spawnScript("wrong", {
      script: "deploy/run-service.ts",
      args: ["scheduller"],
      env: { TRAINYARD_STATE_DIR: dir },
    });
    expect(await wrong.exited).toBe(2);
    expect(wrong.output()).toContain("one of scheduler, tracking");
  });
});
