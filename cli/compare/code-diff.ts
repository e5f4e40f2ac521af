import { structuredPatch } from "diff";
import type { CodeFile, CodeFiles } from "./code-files.ts";

/** Edits between two versions of a file beyond which they are told to differ without showing how. */
const maxEdits = 20_000;
const maxMsPerFile = 2_000;

/** How one file differs between two bundles. */
export interface FileChange {
  readonly path: string;
  readonly change: "added" | "removed" | "changed";
  readonly sizes: readonly [number | null, number | null];
  /** Lines only in the second and only in the first; absent when the change cannot be shown. */
  readonly addedLines?: number;
  readonly removedLines?: number;
  /** The hunks as a unified diff; absent for binary or very large files, and for changes too many to follow. */
  readonly patch?: string;
  /** Why there is no patch. */
  readonly why?: string;
}

/** What differs between two bundles, by path. */
export function diffCode(from: CodeFiles, to: CodeFiles): FileChange[] {
  const paths = [...new Set([...from.keys(), ...to.keys()])].sort((a, b) => (a < b ? -1 : 1));
  return paths.flatMap((path) => {
    const [before, after] = [from.get(path), to.get(path)];
    return before?.digest === after?.digest ? [] : [changeOf(path, before, after)];
  });
}

function changeOf(path: string, before: CodeFile | undefined, after: CodeFile | undefined): FileChange {
  const change = before === undefined ? "added" : after === undefined ? "removed" : "changed";
  const sizes = [before?.sizeBytes ?? null, after?.sizeBytes ?? null] as const;
  const [old, now] = [textIn(before), textIn(after)];
  if (old === undefined || now === undefined)
    return { path, change, sizes, why: "binary, or larger than 1 MiB" };
  const names = [
    before === undefined ? "/dev/null" : `a/${path}`,
    after === undefined ? "/dev/null" : `b/${path}`,
  ];
  const patch = structuredPatch(names[0] ?? "", names[1] ?? "", old, now, undefined, undefined, {
    maxEditLength: maxEdits,
    timeout: maxMsPerFile,
  });
  if (patch === undefined) return { path, change, sizes, why: "too many changes to show" };
  // Added or removed without content: a unified diff has no words for it.
  if (patch.hunks.length === 0) return { path, change, sizes, addedLines: 0, removedLines: 0, why: "empty" };
  const lines = patch.hunks.flatMap((hunk) => hunk.lines);
  const count = (sign: string) => lines.filter((line) => line.startsWith(sign)).length;
  const hunks = patch.hunks.map(
    (hunk) =>
      `@@ -${range(hunk.oldStart, hunk.oldLines)} +${range(hunk.newStart, hunk.newLines)} @@\n${hunk.lines.join("\n")}\n`,
  );
  return {
    path,
    change,
    sizes,
    addedLines: count("+"),
    removedLines: count("-"),
    patch: `--- ${names[0]}\n+++ ${names[1]}\n${hunks.join("")}`,
  };
}

/** A file that is not there is empty; one that cannot be shown has no text. */
function textIn(file: CodeFile | undefined): string | undefined {
  return file === undefined ? "" : file.text;
}

/** As `diff -u` and git write it: a count of 1 is left out, and an empty side starts at the line before. */
function range(start: number, lines: number): string {
  return lines === 1 ? String(start) : `${lines === 0 ? start - 1 : start},${lines}`;
}
