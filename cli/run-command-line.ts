import { up } from "./up/up-command.ts";
export async function runCommandLine(args: readonly string[]): Promise<void> {
  process.exitCode = await up({ data: args[0] ?? "/tmp/ty", listen: "127.0.0.1", ports: "free", agent: true, json: false, verbose: args.includes("-v") });
  process.exit();
}
