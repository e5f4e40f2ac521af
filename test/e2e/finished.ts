import { spawn } from "node:child_process";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { checkoutRoot } from "@trainyard/local";

/** What a finished program left. */
export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end. */
export async function finished(
  command: string,
  args: readonly string[],
  options: {
    readonly env?: Readonly<Record<string, string>>;
    readonly cwd?: string;
    /** What its standard input holds; empty unless given. */
    readonly input?: string;
  } = {},
): Promise<Finished> {
  const child = spawn(command, args, {
    cwd: options.cwd ?? checkoutRoot,
    env: { PATH: process.env.PATH ?? "", HOME: process.env.HOME ?? "/", NO_COLOR: "1", ...options.env },
    stdio: ["pipe", "pipe", "pipe"],
  });
  child.stdin.on("error", () => undefined).end(options.input ?? "");
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  const [stdout, stderr, code] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
  return { code, stdout, stderr };
}

/** Runs the command line as a user of the platform at `url` does. */
export function trainyard(
  { url, token, cwd }: { readonly url: string; readonly token: string; readonly cwd: string },
  ...args: readonly string[]
): Promise<Finished> {
  return finished(process.execPath, [join(checkoutRoot, "cli/main.ts"), ...args], {
    cwd,
    env: { TRAINYARD_URL: url, TRAINYARD_TOKEN: token },
  });
}
