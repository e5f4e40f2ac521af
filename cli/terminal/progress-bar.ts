import { formatBytes } from "./bytes.ts";
import { errorStyle } from "./style.ts";

const cells = 24;
const redrawEveryMs = 80;
/** What is done sooner needs no bar. */
const showAfterMs = 300;

/** A bar on standard error for something that takes long; nothing where that is no terminal. */
export interface ProgressBar {
  update(doneBytes: number): void;
  /** Takes the bar away. */
  end(): void;
}

/** Starts a bar for `totalBytes`, labelled with what goes on: "uploading code". */
export function progressBar(label: string, totalBytes: number): ProgressBar {
  const begun = performance.now();
  let drawnAt = begun + showAfterMs - redrawEveryMs;
  let drawn = false;
  return {
    update(doneBytes) {
      const now = performance.now();
      if (process.stderr.isTTY !== true || now - drawnAt < redrawEveryMs) return;
      drawnAt = now;
      drawn = true;
      const share = totalBytes === 0 ? 1 : Math.min(1, doneBytes / totalBytes);
      const full = Math.round(share * cells);
      const bar = `${"━".repeat(full)}${errorStyle.dim("━".repeat(cells - full))}`;
      const rate = doneBytes / ((now - begun) / 1000);
      const numbers = `${formatBytes(doneBytes)} of ${formatBytes(totalBytes)}, ${formatBytes(rate)}/s`;
      process.stderr.write(`\r\u001b[2K${label} ${bar} ${numbers}`);
    },
    end() {
      if (drawn) process.stderr.write("\r\u001b[2K");
    },
  };
}
