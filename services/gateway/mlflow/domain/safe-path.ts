import { invalidParameter } from "./mlflow-error.ts";

/** Throws for a path that would mean something outside of where it is used. */
export function safePath(path: string): string {
  const decoded = unquoted(path);
  const parts = decoded.split("/");
  const outside =
    decoded.startsWith("/") ||
    decoded.includes("\\") ||
    decoded.includes("\0") ||
    parts.includes("..") ||
    /^[a-zA-Z]:/.test(decoded) ||
    decoded.includes("#");
  if (outside) throw invalidParameter("Invalid path");
  return parts.filter((part) => part !== "" && part !== ".").join("/");
}

/** Encoded more than once, a path is decoded as often, so that nothing hides in it. */
function unquoted(path: string): string {
  for (let current = path; ; ) {
    const next = once(current);
    if (next === current) return current;
    current = next;
  }
}

function once(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}
