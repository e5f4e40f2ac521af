import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { checkoutRoot } from "@trainyard/local";

/** One of `peers`, a server in a process of its own that prints its port: what a client could do if the server did no more. */
export async function startPeer(
  script: string,
  env: Readonly<Record<string, string>> = {},
): Promise<{ readonly url: string; stop(): Promise<void> }> {
  const child = spawn(process.execPath, [join(checkoutRoot, "tools/bench/peers", script)], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, ...env },
  });
  const exited = once(child, "exit");
  const [line] = (await once(child.stdout, "data")) as [Buffer];
  return {
    url: `http://127.0.0.1:${line.toString("utf8").trim()}`,
    async stop() {
      child.kill("SIGTERM");
      await exited;
    },
  };
}
