import { errorStyle } from "../terminal/style.ts";

/** The same message is shown again only after so long. */
const repeatAfterMs = 30_000;

const levels = ["trace", "debug", "info", "warn", "error", "fatal"];

/** What of the services' log reaches the terminal: errors, or with `verbose` everything. */
export function createNotices(verbose: boolean): (line: string) => void {
  const shownAt = new Map<string, number>();
  const lowest = levels.indexOf(verbose ? "trace" : "error");
  return (line) => {
    const entry = parse(line);
    if (entry === undefined) return;
    // What `up` itself has to say is meant for whoever started it.
    const from = entry.service === "up" ? Math.min(lowest, levels.indexOf("warn")) : lowest;
    if (levels.indexOf(entry.level) < from) return;
    const text = `${entry.service}: ${entry.msg}${entry.err?.message === undefined ? "" : `: ${entry.err.message}`}`;
    const now = Date.now();
    if (!verbose && now - (shownAt.get(text) ?? Number.NEGATIVE_INFINITY) < repeatAfterMs) return;
    shownAt.set(text, now);
    process.stderr.write(`${paint(entry.level, entry.level.padEnd(5))} ${text}\n`);
  };
}

interface Entry {
  readonly level: string;
  readonly service: string;
  readonly msg: string;
  readonly err?: { readonly message?: string };
}

function parse(line: string): Entry | undefined {
  try {
    // Written by this process's own loggers.
    return JSON.parse(line) as Entry;
  } catch {
    return undefined;
  }
}

function paint(level: string, text: string): string {
  if (level === "error" || level === "fatal") return errorStyle.bad(text);
  return level === "warn" ? errorStyle.warn(text) : errorStyle.dim(text);
}
