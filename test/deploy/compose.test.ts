import { existsSync } from "node:fs";
import { join } from "node:path";
import { checkoutRoot, defaultPorts, serviceNames } from "@trainyard/local";
import { Ajv2020 } from "ajv/dist/2020.js";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { composeHosts } from "../../deploy/compose/hosts.ts";
import { composeSchema } from "./compose-schema.ts";
import { composeService, isKnownVariable, readCompose, sourceOf } from "./deployment-files.ts";

const compose = readCompose();
const services = Object.entries(compose.services);
const ours = services.filter(([, service]) => service.build !== undefined);
const portOf = (name: string) =>
  name === "agent" ? defaultPorts.agent : defaultPorts[name as keyof typeof defaultPorts];

describe("docker-compose.yml", () => {
  it("is of the Compose format, every key known and of the right type", () => {
    const validate = new Ajv2020({ allErrors: true }).compile(composeSchema);
    validate(compose);
    expect(validate.errors).toBeNull();
  });

  it("runs every service of the platform, one agent and the servers they stand on", () => {
    expect(Object.keys(compose.services)).toEqual(
      expect.arrayContaining([...serviceNames, "agent", "nats", "mongod"]),
    );
    const started = ours.flatMap(([, { command }]) =>
      command?.[0] === "deploy/run-service.ts" ? [command[1]] : [],
    );
    expect(started).toEqual([...serviceNames]);
  });

  it("gives each part the name under which the others look for it", () => {
    for (const host of Object.values(composeHosts)) expect(Object.keys(compose.services)).toContain(host);
  });

  it.each([...serviceNames, "agent"])("has %s listen on the platform's own port", (name) => {
    expect(composeService(compose, name).environment?.TRAINYARD_LISTEN_PORT).toBe(String(portOf(name)));
  });

  it("publishes the gateway and the trace viewer, on loopback, and nothing else", () => {
    const published = services.flatMap(([name, { ports = [] }]) => ports.map((port) => `${name} ${port}`));
    expect(published).toEqual([
      `gateway 127.0.0.1:${defaultPorts.gateway}:${defaultPorts.gateway}`,
      "jaeger 127.0.0.1:16686:16686",
    ]);
  });

  it("sets only variables that the service reads", () => {
    for (const [name, { environment = {} }] of ours) {
      const service = ["agent", "prepare"].includes(name) ? "worker-agent" : name;
      const unknown = Object.keys(environment).filter((variable) => !isKnownVariable(variable, service));
      expect(unknown, name).toEqual([]);
    }
  });

  it("names only files of the checkout", () => {
    const scripts = ours.flatMap(([, { command = [], build }]) => [
      ...command.filter((word) => word.endsWith(".ts")),
      build?.dockerfile ?? "",
    ]);
    const mounted = services
      .flatMap(([, { volumes = [] }]) => volumes.filter((volume) => volume.startsWith("./")))
      .map((volume) => volume.split(":")[0] ?? "");
    expect(scripts.length).toBeGreaterThan(8);
    for (const path of [...scripts, ...mounted])
      expect(existsSync(join(checkoutRoot, path)), path).toBe(true);
  });

  it("mounts only volumes that it declares, and declares none that nobody mounts", () => {
    const mounted = services.flatMap(([, { volumes = [] }]) =>
      volumes.filter((volume) => !volume.startsWith("./")),
    );
    const names = new Set(mounted.map((volume) => volume.split(":")[0]));
    expect([...names].sort()).toEqual(Object.keys(compose.volumes).sort());
  });

  it("shows the agent's container no secret but its own", () => {
    const mounts = composeService(compose, "agent").volumes ?? [];
    expect(mounts.some((volume) => volume.startsWith("state:"))).toBe(false);
  });

  it("lets services only read the state folder", () => {
    for (const name of serviceNames)
      expect(composeService(compose, name).volumes).toContain("state:/var/lib/trainyard/state:ro");
  });

  it("waits for conditions that can come true", () => {
    const image = sourceOf("deploy/Dockerfile");
    for (const [name, { depends_on = {} }] of services) {
      for (const [other, { condition }] of Object.entries(depends_on)) {
        const needed = composeService(compose, other);
        const healthy =
          needed.healthcheck === undefined
            ? needed.build !== undefined && image.includes("HEALTHCHECK")
            : !needed.healthcheck.disable;
        const once = needed.restart === undefined;
        expect(
          { service_healthy: healthy, service_completed_successfully: once, service_started: true },
          `${name} → ${other}`,
        ).toMatchObject({ [condition]: true });
      }
    }
  });

  it("checks the health of whatever runs on, but for the two that nothing waits for", () => {
    const unchecked = services.filter(
      ([, { build, healthcheck }]) => build === undefined && healthcheck === undefined,
    );
    expect(unchecked.map(([name]) => name)).toEqual(["collector", "jaeger"]);
  });
});

describe("deploy/otel/collector.yaml", () => {
  const config: {
    [kind in "receivers" | "processors" | "exporters"]: Record<string, unknown>;
  } & { service: { pipelines: Record<string, Record<string, string[]>> } } = parse(
    sourceOf("deploy/otel/collector.yaml"),
  );

  it("uses in its pipelines what it declares, and declares nothing else", () => {
    for (const kind of ["receivers", "processors", "exporters"] as const) {
      const used = Object.values(config.service.pipelines).flatMap((pipeline) => pipeline[kind] ?? []);
      expect([...new Set(used)].sort()).toEqual(Object.keys(config[kind]).sort());
    }
  });

  it("takes traces where the services send them and hands them to the viewer", () => {
    const sent = composeService(compose, "scheduler").environment?.OTEL_EXPORTER_OTLP_ENDPOINT;
    expect(sent).toBe("http://collector:4318");
    expect(config.receivers).toMatchObject({ otlp: { protocols: { http: { endpoint: "0.0.0.0:4318" } } } });
    expect(config.exporters).toMatchObject({ otlp: { endpoint: "jaeger:4317" } });
  });
});
