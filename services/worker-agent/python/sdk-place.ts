import { execFile } from "node:child_process";
import { mkdir, symlink } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

/**
 * A folder that holds the SDK and nothing else, to be put on the path of an interpreter that has it not installed. Where
 * the SDK is installed with the node's interpreter, a link to it is made: its folder there holds all other packages too.
 */
export async function sdkPlace(
  agentDir: string,
  sdkPath: string | undefined,
  python: string,
  env: Readonly<Record<string, string>>,
): Promise<string> {
  if (sdkPath !== undefined) return sdkPath;
  const program = "import os, trainyard; print(os.path.dirname(os.path.abspath(trainyard.__file__)))";
  const { stdout } = await promisify(execFile)(python, ["-I", "-c", program], { env });
  const place = join(agentDir, "sdk");
  await mkdir(place, { recursive: true, mode: 0o700 });
  await symlink(stdout.trim(), join(place, "trainyard")).catch((error: unknown) => {
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
  });
  return place;
}
