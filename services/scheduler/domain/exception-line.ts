/** Longest line that becomes part of a sentence. */
const MAX_LENGTH = 300;
const HEADER = "Traceback (most recent call last):";
/** A class's name, with its module, and what it says: "ValueError: no such column", "torch.OutOfMemoryError: …". */
const EXCEPTION = /^[A-Za-z_][\w.]*(Error|Exception|Warning|Interrupt|Exit|Iteration)(: .*)?$/;

/**
 * The line that names the exception in the end of a rank's traceback or standard error: the first one after the frames
 * of the last traceback; where the traceback's head was cut off, the last line that looks like one; for a program
 * without a traceback, the last line that speaks of an error. Undefined when there is none.
 */
export function exceptionLine(tail: string): string | undefined {
  const lines = tail.split("\n").map((line) => line.trimEnd());
  const header = lines.lastIndexOf(HEADER);
  const raised = lines.slice(header + 1).find((line) => line !== "" && !/^\s/.test(line));
  const found =
    header >= 0 ? raised : (lines.findLast((line) => EXCEPTION.test(line)) ?? lines.findLast(speaksOfError));
  const line = found?.trim();
  if (line === undefined || line === "") return undefined;
  const characters = [...line];
  return characters.length <= MAX_LENGTH ? line : `${characters.slice(0, MAX_LENGTH - 1).join("")}…`;
}

/** Whether the line is about a disk, or a quota of one, that is used up: ENOSPC and EDQUOT in the system's words or Python's. */
export function isDiskFull(line: string | undefined): boolean {
  return (
    line !== undefined && /\[Errno (28|122)\]|\bNo space left on device\b|\bDisk quota exceeded\b/.test(line)
  );
}

function speaksOfError(line: string): boolean {
  return /\berror\b/i.test(line);
}
