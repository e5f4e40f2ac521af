import { createWriteStream, mkdirSync, renameSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { finished } from "node:stream/promises";

/** Above this the last start's log is put aside as `.1`. */
const logLimitBytes = 32 * 1024 * 1024;

/** The one log of all services of this process, JSON lines. */
export interface LogFile {
  readonly path: string;
  /** A pino destination. */
  write(line: string): void;
  close(): Promise<void>;
}

/** Opens the log for appending. `onLine` sees each line too, such as to show what a person must see. */
export function openLogFile(path: string, onLine: (line: string) => void): LogFile {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const sizeBytes = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  if (sizeBytes > logLimitBytes) renameSync(path, `${path}.1`);
  const stream = createWriteStream(path, { flags: "a", mode: 0o600 });
  let broken: Error | undefined;
  // A full disk must not end the platform; it is told once.
  stream.on("error", (error) => {
    if (broken === undefined) process.stderr.write(`cannot write ${path}: ${error.message}\n`);
    broken = error;
  });
  return {
    path,
    write(line) {
      if (broken === undefined) stream.write(line);
      onLine(line);
    },
    async close() {
      if (broken !== undefined) return;
      stream.end();
      await finished(stream).catch(() => undefined);
    },
  };
}
