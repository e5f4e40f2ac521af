import { execFile } from "node:child_process";
import { promisify } from "node:util";

const run = promisify(execFile);

/** A diff above this is not kept: the bundle has the files anyway. */
const maxDiffBytes = 16 * 1024 * 1024;

/** Where the code stood in its repository. */
export interface GitState {
  readonly commit: string;
  /** What differs from the commit, with new files; absent when nothing does. */
  readonly dirtyDiff?: Buffer;
}

/** The commit and uncommitted changes of the folder; undefined outside a repository, without git, or before the first commit. */
export async function gitState(folder: string): Promise<GitState | undefined> {
  try {
    const commit = (await git(folder, ["rev-parse", "HEAD"])).toString("utf8").trim();
    const diff = await git(folder, ["diff", "HEAD", "--binary", "--no-color", "--no-ext-diff", "--", "."]);
    return diff.length === 0 ? { commit } : { commit, dirtyDiff: diff };
  } catch {
    return undefined;
  }
}

async function git(folder: string, args: readonly string[]): Promise<Buffer> {
  const { stdout } = await run("git", ["-C", folder, ...args], {
    encoding: "buffer",
    maxBuffer: maxDiffBytes,
    // A repository's own settings may name programs to run; none of them is needed here.
    env: { ...process.env, GIT_OPTIONAL_LOCKS: "0", GIT_TERMINAL_PROMPT: "0" },
  });
  return stdout;
}
