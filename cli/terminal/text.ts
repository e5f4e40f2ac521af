import { stripVTControlCharacters } from "node:util";

const wide =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\u33ff\u3400-\u4dbf\u4e00-\u9fff\ua000-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/u;

/** Columns that a text takes on a terminal: colours take none, East Asian characters two. */
export function textWidth(text: string): number {
  let width = 0;
  for (const { segment } of new Intl.Segmenter().segment(stripVTControlCharacters(text)))
    width += wide.test(segment) ? 2 : 1;
  return width;
}

/** Filled up with spaces to that many columns. */
export function padText(text: string, width: number): string {
  return text + " ".repeat(Math.max(0, width - textWidth(text)));
}

/** What came from elsewhere (a name, a log line) without control characters that would act on the terminal; tabs and newlines stay. */
export function safeText(text: string): string {
  return text.replace(/(?![\t\n])\p{Cc}/gu, "\ufffd");
}
