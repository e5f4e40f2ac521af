import { DomainError } from "@trainyard/domain";
import type { Session } from "../session.ts";
import { style } from "../terminal/style.ts";
import { safeText } from "../terminal/text.ts";
import { diffCode, type FileChange } from "./code-diff.ts";
import type { CodeFiles } from "./code-files.ts";
import { type Comparison, compareRuns, exactNumber } from "./compare.ts";
import { changeText, codeSummary, comparisonLines, lineColumns } from "./compare-text.ts";
import { changesOf, codeDigestOf, codeOf, environmentOf, type LoadedRun, loadRun } from "./load-run.ts";
import { runFacts } from "./run-facts.ts";

/** More runs than fit beside each other. */
const maxRuns = 50;
/** Lines shown on a terminal; the rest is for --json, a pipe, or --metric. */
const maxLines = 200;

/** The options of `runs compare`. */
export interface CompareFlags {
  readonly all?: boolean;
  readonly metric?: readonly string[];
}

/** Shows in what runs differ. */
export async function compare(session: Session, ids: readonly string[], flags: CompareFlags): Promise<void> {
  assertCount(ids, maxRuns);
  const loaded = await Promise.all(ids.map((id) => loadRun(session, id)));
  const environments = await Promise.all(loaded.map((one) => environmentOf(session, one)));
  const comparison = compareRuns(loaded.map(({ run }, index) => runFacts(run, environments[index])));
  const code = await compareCode(session, loaded);
  if (session.json) {
    session.print(JSON.stringify(asJson(comparison, code, flags), undefined, 2));
    return;
  }
  const lines = comparisonLines(comparison, {
    all: flags.all === true,
    metrics: flags.metric ?? [],
    human: session.isTerminal,
  });
  const shown = session.isTerminal ? lines.slice(0, maxLines) : lines;
  session.printTable(lineColumns(comparison), shown, "Nothing differs.");
  if (shown.length < lines.length)
    session.say(
      style.dim(`${lines.length - shown.length} more lines: --metric KEY, --json, or a pipe shows them`),
    );
  for (const { from, to, changes } of code)
    session.print(`${style.dim("code")}  ${from} → ${to}: ${safeText(codeSummary(changes))}`);
  if (session.isTerminal && code.some(({ changes }) => changes.length > 0))
    session.say(style.dim(`all of it: npx trainyard runs diff --code ${ids[0]} ${ids[1]}`));
}

/** The options of `runs diff`. */
export interface DiffFlags {
  readonly code?: boolean;
}

/** Shows how the code of two runs differs, as a unified diff that `git apply` takes. */
export async function diffRuns(session: Session, a: string, b: string, flags: DiffFlags): Promise<number> {
  if (flags.code !== true) {
    await compare(session, [a, b], {});
    return 0;
  }
  const [from, to] = await Promise.all([loadRun(session, a), loadRun(session, b)]);
  const [before, after] = [await codeOrRefuse(session, from), await codeOrRefuse(session, to)];
  const changes = diffCode(before, after);
  const uncommitted = await Promise.all([changesOf(session, from), changesOf(session, to)]);
  if (session.json) {
    const [fromChanges, toChanges] = uncommitted;
    const uncommittedChanges = { from: fromChanges, to: toChanges };
    session.print(
      JSON.stringify({ from: from.run.id, to: to.run.id, changes, uncommittedChanges }, undefined, 2),
    );
    return 0;
  }
  for (const change of changes) {
    const text = changeText(change);
    // Byte for byte in a pipe, where `git apply` reads it.
    process.stdout.write(session.isTerminal ? painted(text) : text);
  }
  sayUncommitted([from, to], uncommitted);
  if (changes.length === 0) session.say(style.dim("The code of both runs is the same."));
  return 0;
}

/** What was uncommitted is in the bundles already; how much of the difference that may be is told on standard error. */
function sayUncommitted(loaded: readonly LoadedRun[], changes: readonly string[]): void {
  if (loaded.every(({ run }) => (run.spec?.code?.gitCommit ?? "") === "")) return;
  const lines = loaded.map(({ run }, index) => {
    const commit = run.spec?.code?.gitCommit.slice(0, 10) || "no commit";
    const diff = changes[index] ?? "";
    const uncommitted =
      diff === "" ? "nothing uncommitted" : `${diff.split("\n").length - 1} lines of diff uncommitted`;
    return `${run.id} at ${commit}, ${uncommitted}\n`;
  });
  process.stderr.write(lines.join(""));
}

interface CodeComparison {
  readonly from: string;
  readonly to: string;
  readonly changes: readonly FileChange[];
}

/** Each run's code against the first's; runs without code, or with the same, are left out. */
async function compareCode(session: Session, loaded: readonly LoadedRun[]): Promise<CodeComparison[]> {
  const [first, ...others] = loaded;
  if (first === undefined || codeDigestOf(first) === undefined) return [];
  const differing = others.filter((one) => {
    const digest = codeDigestOf(one);
    return digest !== undefined && digest !== codeDigestOf(first);
  });
  if (differing.length === 0) return [];
  const before = await codeOrRefuse(session, first);
  const found: CodeComparison[] = [];
  for (const one of differing)
    found.push({
      from: first.run.id,
      to: one.run.id,
      changes: diffCode(before, await codeOrRefuse(session, one)),
    });
  return found;
}

async function codeOrRefuse(session: Session, loaded: LoadedRun): Promise<CodeFiles> {
  const files = await codeOf(session, loaded);
  if (files !== undefined) return files;
  throw new DomainError(
    "failed_precondition",
    "RUN_HAS_NO_CODE",
    `${loaded.run.id} has no code bundle: it was logged by a client of its own, which keeps no code here`,
  );
}

function asJson(comparison: Comparison, code: readonly CodeComparison[], { metric = [] }: CompareFlags) {
  const isAsked = (key: string) => metric.length === 0 || metric.includes(key);
  const nulls = (values: readonly (string | undefined)[]) => values.map((value) => value ?? null);
  const rows = (of: Comparison["params"]) => of.map((row) => ({ ...row, values: nulls(row.values) }));
  return {
    runs: comparison.runs,
    params: rows(comparison.params),
    lineage: rows(comparison.lineage),
    environment: rows(comparison.environment),
    metrics: comparison.metrics
      .filter(({ key }) => isAsked(key))
      .map((row) => ({ ...row, values: row.values.map(exactNumber) })),
    code: code.map(({ changes, ...pair }) => ({
      ...pair,
      changes: changes.map(({ patch: _patch, ...change }) => change),
    })),
  };
}

function painted(text: string): string {
  return safeText(text).replace(/^[-+@].*$/gm, (line) =>
    line.startsWith("@") ? style.accent(line) : line.startsWith("+") ? style.good(line) : style.bad(line),
  );
}

function assertCount(ids: readonly string[], most: number): void {
  if (ids.length >= 2 && ids.length <= most) return;
  throw new DomainError(
    "invalid_argument",
    "RUNS_COUNT",
    `${ids.length} runs were given; a comparison is of 2 to ${most}`,
  );
}
