import { spawnSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { SetupError } from "./progress.mjs";

/** The first executable of that name on PATH, or undefined. */
export function onPath(name) {
  for (const folder of (process.env.PATH ?? "").split(delimiter).filter(Boolean)) {
    try {
      accessSync(join(folder, name), constants.X_OK);
      return join(folder, name);
    } catch {
      // Not here: the next folder.
    }
  }
  return undefined;
}

/** True when the program runs and says a version: a version manager's shim may exist and yet run nothing. */
export function runs(program, args = ["--version"]) {
  return spawnSync(program, args, { stdio: "ignore", timeout: 60_000 }).status === 0;
}

const probe = "import sys, venv, ensurepip; sys.exit(0 if (3, 10) <= sys.version_info < (3, 15) else 1)";

/** A Python from 3.11 (or 3.10) on, with venv. PyTorch's newest line needs 3.11, so those names come first. */
export function findSystemPython() {
  const names = ["python3.12", "python3.13", "python3.11", "python3", "python3.14", "python3.10", "python"];
  const found = names.map(onPath).find((path) => path !== undefined && runs(path, ["-c", probe]));
  if (found !== undefined) return found;
  throw new SetupError(
    "no Python 3.10 to 3.14 with the modules venv and ensurepip on PATH.\n" +
      "Install it: Debian and Ubuntu `sudo apt-get install python3 python3-venv`, Fedora `sudo dnf install python3`, macOS `brew install python@3.12`.",
  );
}
