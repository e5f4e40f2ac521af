import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

/** For what comes at once, unless the machine is busy. */
const patient = { timeout: 60_000 };

const door = fileURLToPath(new URL("./index.ts", import.meta.url));

/** Runs a service's main in a process of its own, as `script` builds it. */
function runService(script: string): {
  child: ChildProcess;
  output: () => string;
  ended: Promise<number | null>;
} {
  const source = `import { createApp, ConfigError, runMain } from ${JSON.stringify(door)};
    import { createLogger } from "@trainyard/telemetry";
    const logger = createLogger({ service: "x", level: "silent" });
    const say = (text) => process.stdout.write(text + "\\n");
    const keepAlive = setInterval(() => {}, 1000);
    ${script}`;
  const child = spawn(process.execPath, ["--input-type=module", "--eval", source], {
    cwd: fileURLToPath(new URL(".", import.meta.url)),
  });
  let text = "";
  const collect = (chunk: Buffer) => {
    text += chunk.toString();
  };
  child.stdout?.on("data", collect);
  child.stderr?.on("data", collect);
  return { child, output: () => text, ended: once(child, "close").then(([code]) => code as number | null) };
}

const part = (stop: string) =>
  `{ name: "p", start: async () => say("started"), stop: async () => { say("stopping"); ${stop} } }`;

describe("a service's process", () => {
  it.each(["SIGTERM", "SIGINT"] as const)("stops in order on %s and exits with 0", async (signal) => {
    const { child, output, ended } = runService(
      `await runMain("x", async () => createApp({ name: "x", logger, parts: [${part("say('stopped')")}] }));`,
    );
    await expect.poll(output, patient).toContain("started");
    child.kill(signal);
    expect(await ended).toBe(0);
    expect(output()).toBe("started\nstopping\nstopped\n");
  });

  it("exits at once on a second signal", async () => {
    const { child, output, ended } = runService(
      `await runMain("x", async () => createApp({ name: "x", logger, parts: [${part("await new Promise(() => {})")}] }));`,
    );
    await expect.poll(output, patient).toContain("started");
    child.kill("SIGTERM");
    await expect.poll(output, patient).toContain("stopping");
    child.kill("SIGTERM");
    expect(await ended).toBe(130);
  });

  it("prints what is wrong with its configuration and exits with 2", async () => {
    const { output, ended } = runService(
      `await runMain("x", async () => { throw new ConfigError(["TRAINYARD_NATS_URL is not set; it is required"]); });`,
    );
    expect(await ended).toBe(2);
    expect(output()).toBe(
      "x: The configuration is not usable:\n  TRAINYARD_NATS_URL is not set; it is required\n",
    );
  });

  it("prints why it could not start, with the causes and without a stack, and exits with 1", async () => {
    const { output, ended } = runService(
      `const parts = [{ name: "bus", start: async () => { throw new Error("refused"); }, stop: async () => {} }];
       await runMain("x", async () => createApp({ name: "x", logger, parts }));`,
    );
    expect(await ended).toBe(1);
    expect(output()).toBe("x: starting bus failed\n  because: refused\n");
  });
});
