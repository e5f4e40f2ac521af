import { accessSync, constants } from "node:fs";
import { delimiter, join, resolve } from "node:path";

/** The root of this checkout: where `.cache/`, `.venv/` and the services' sources lie. */
export const checkoutRoot: string = resolve(import.meta.dirname, "../..");

/** The command that puts every missing program in place; errors about missing programs name it. */
export const setupCommand = "npm run setup";

/** True when the path is a file that this process may execute. */
export function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** The first executable of that name on the PATH given, or undefined. */
export function findOnPath(name: string, path: string): string | undefined {
  return path
    .split(delimiter)
    .filter((folder) => folder !== "")
    .map((folder) => join(folder, name))
    .find(isExecutable);
}
