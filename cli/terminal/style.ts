import { styleText } from "node:util";

type Format = Parameters<typeof styleText>[0];

function paint(format: Format): (text: string) => string {
  // styleText asks the stream: no colour in a pipe, with NO_COLOR, or on a dumb terminal.
  return (text) => styleText(format, text, { stream: process.stdout });
}

/** Colours by meaning; plain text where the output is not a terminal or NO_COLOR is set. */
export const style = {
  dim: paint("dim"),
  bold: paint("bold"),
  good: paint("green"),
  bad: paint("red"),
  warn: paint("yellow"),
  accent: paint("cyan"),
} as const;

/** The same for what goes to standard error. */
export const errorStyle = {
  dim: (text: string) => styleText("dim", text, { stream: process.stderr }),
  bad: (text: string) => styleText("red", text, { stream: process.stderr }),
  warn: (text: string) => styleText("yellow", text, { stream: process.stderr }),
} as const;
