import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { checkoutRoot } from "@trainyard/local";
import { waitFor } from "@trainyard/testing";

/** A platform as `trainyard up` runs it, in a folder of its own. */
export interface LocalPlatform {
  readonly url: string;
  readonly dir: string;
  /** From starting the command until the gateway says it is ready. */
  readonly readyMs: number;
  readonly tokens: { readonly submitter: string; readonly approver: string; readonly admin: string };
  /** Every process of the platform: the command's own and those it started. */
  pids(): readonly number[];
  stop(): Promise<void>;
}

const node = join(checkoutRoot, "node_modules/.bin/node");

function readJson<T>(file: string): T {
  // Written by the platform itself.
  return JSON.parse(readFileSync(file, "utf8")) as T;
}

/** Starts `trainyard up` on free ports and waits until it is ready. */
export async function startLocalPlatform(dir: string): Promise<LocalPlatform> {
  const from = performance.now();
  const child = spawn(node, [join(checkoutRoot, "cli/main.ts"), "up", "--data", dir, "--ports", "free"], {
    cwd: checkoutRoot,
    stdio: ["ignore", "ignore", "inherit"],
    env: { ...process.env, NODE_COMPILE_CACHE: join(checkoutRoot, ".cache/compile") },
  });
  const url = await waitFor(
    "the platform",
    async () => {
      const { url: at, pid } = readJson<{ readonly url: string; readonly pid: number }>(
        join(dir, "platform.json"),
      );
      return pid === child.pid && (await fetch(`${at}/readyz`)).ok ? at : undefined;
    },
    { timeoutMs: 60_000, intervalMs: 10 },
  );
  return {
    url,
    dir,
    readyMs: performance.now() - from,
    tokens: readJson(join(dir, "secrets/tokens.json")),
    pids: () => descendants(child.pid ?? 0),
    stop: () => stopChild(child),
  };
}

async function stopChild(child: ChildProcess): Promise<void> {
  const exited = once(child, "exit");
  child.kill("SIGINT");
  await exited;
}

/** A process and all that it started, by /proc. */
function descendants(root: number): readonly number[] {
  const parents = new Map<number, number>();
  for (const name of readdirSync("/proc").filter((entry) => /^\d+$/.test(entry))) {
    try {
      const stat = readFileSync(`/proc/${name}/stat`, "utf8");
      parents.set(Number(name), Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]));
    } catch {
      // It ended meanwhile.
    }
  }
  const found = [root];
  for (const pid of found)
    found.push(...[...parents].filter(([, parent]) => parent === pid).map(([child]) => child));
  return found;
}

/** Memory that the processes would free by ending: their proportional set size, in bytes. */
export function pssBytes(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => {
    try {
      const kib = /^Pss:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"))?.[1];
      return sum + Number(kib ?? 0) * 1024;
    } catch {
      return sum;
    }
  }, 0);
}
