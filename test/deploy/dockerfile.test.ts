import { existsSync } from "node:fs";
import { join } from "node:path";
import { checkoutRoot } from "@trainyard/local";
import { describe, expect, it } from "vitest";
import { isKnownVariable, readCompose, sourceOf } from "./deployment-files.ts";

const text = sourceOf("deploy/Dockerfile").replaceAll(/\\\n\s*/g, " ");
const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
const stages = lines.flatMap((line) => /^FROM (\S+) AS (\S+)$/.exec(line)?.slice(1, 3) ?? []);

describe("deploy/Dockerfile", () => {
  it("holds instructions only, and the two targets that the compose file builds", () => {
    const known = /^(FROM|WORKDIR|COPY|RUN|ENV|USER|HEALTHCHECK|ENTRYPOINT) /;
    expect(lines.filter((line) => !known.test(line))).toEqual([]);
    expect(stages).toEqual(["node:24-bookworm-slim", "service", "service", "agent"]);
    const targets = Object.values(readCompose().services).flatMap(({ build }) => build?.target ?? []);
    expect(new Set(targets)).toEqual(new Set(["service", "agent"]));
  });

  it("runs the Node that the checkout is built for", () => {
    const { devDependencies } = JSON.parse(sourceOf("package.json"));
    expect(stages[0]).toBe(`node:${devDependencies.node.split(".")[0]}-bookworm-slim`);
  });

  it("ends both targets as a user without rights", () => {
    const parts = text.split(/^FROM /m).slice(1);
    const users = parts.map((part) => [...part.matchAll(/^USER (\S+)$/gm)].at(-1)?.[1]);
    expect(users).toEqual(["node", "node"]);
  });

  it("names only files of the checkout and variables that something reads", () => {
    const files = [...text.matchAll(/\b(?:deploy|sdk)\/[\w./-]+/g)].map(([path]) => path);
    expect(files).toEqual(expect.arrayContaining(["deploy/health-check.ts", "sdk/python/requirements.lock"]));
    for (const path of files) expect(existsSync(join(checkoutRoot, path)), path).toBe(true);
    const variables = [...text.matchAll(/\b(TRAINYARD_\w+)=/g)].map(([, name]) => name ?? "");
    expect(variables.filter((name) => !isKnownVariable(name, "worker-agent"))).toEqual([]);
  });

  it("leaves out of the image whatever git ignores, and the history", () => {
    const ignored = sourceOf("deploy/Dockerfile.dockerignore").split("\n");
    for (const name of [".git", ".trainyard", ".venv", ".cache", "**/node_modules"])
      expect(ignored).toContain(name);
  });
});
