import { styleText } from "node:util";

/** Where the demo speaks: on stdout for a person, on stderr when stdout carries the JSON summary. */
export interface Screen {
  /** A chapter: what happens next and why. */
  chapter(title: string): void;
  line(text?: string): void;
  /** The command that does the same by hand. */
  command(text: string): void;
  good(text: string): void;
  bad(text: string): void;
  dim(text: string): void;
  /** A line that is written over by the next one on a terminal, and left out elsewhere. */
  status(text: string): void;
}

export function screen(json: boolean): Screen {
  const out = json ? process.stderr : process.stdout;
  const style = (format: Parameters<typeof styleText>[0], text: string) =>
    styleText(format, text, { stream: out });
  let open = false;
  let chapters = 0;
  const write = (text: string) => {
    if (open) out.write("\r\x1b[2K");
    open = false;
    out.write(`${text}\n`);
  };
  return {
    chapter(title) {
      chapters += 1;
      write("");
      write(style("bold", `${chapters}. ${title}`));
    },
    line: (text = "") => write(text === "" ? "" : `   ${text}`),
    command: (text) => write(style("cyan", `   $ ${text}`)),
    good: (text) => write(`   ${style("green", "✓")} ${text}`),
    bad: (text) => write(`   ${style("red", "✗")} ${text}`),
    dim: (text) => write(style("dim", `   ${text}`)),
    status(text) {
      if (!out.isTTY) return;
      out.write(`\r\x1b[2K   ${text.slice(0, (out.columns ?? 100) - 4)}`);
      open = true;
    },
  };
}
