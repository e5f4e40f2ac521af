import { decodeWhole } from "./decode-whole.ts";
import { invalidParameter } from "./mlflow-error.ts";

/** Throws for a path that would mean something outside of where it is used. */
export function safePath(path: string): string {
  const decoded = decodeWhole(path);
  if (decoded === undefined) throw invalidParameter("Invalid path");
  const parts = decoded.split("/");
  const outside =
    decoded.startsWith("/") ||
    decoded.includes("\\") ||
    decoded.includes("\0") ||
    parts.includes("..") ||
    /^[a-zA-Z]:/.test(decoded) ||
    decoded.includes("#");
  if (outside) throw invalidParameter("Invalid path");
  // The platform's paths are in this form; a Mac's are in the other.
  return parts
    .filter((part) => part !== "" && part !== ".")
    .join("/")
    .normalize("NFC");
}
