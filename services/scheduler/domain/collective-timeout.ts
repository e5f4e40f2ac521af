/**
 * A gang of which some ranks waited in a collective until it timed out, and others never came. Those that waited failed by an
 * error of their own, and those that are to blame did nothing but be elsewhere until they were ended.
 */
import type { RankExit, RankReport } from "./attempt.ts";
import { isPeerLost } from "./collateral.ts";
import { exceptionLine } from "./exception-line.ts";
import { isElsewhere } from "./stuck-rank.ts";

const SIGABRT = 6;
const SIGKILL = 9;
const SIGTERM = 15;
/** NCCL's watchdog does not raise: it writes this and aborts the process. */
const WATCHDOG = /watchdog caught collective operation timeout[^\n]{0,200}/i;

export interface StayedAway {
  /** Who waited in vain, the first one. */
  readonly waited: RankReport;
  /** What it said. */
  readonly said: string;
  /** Who did not come: one rank, or those of which one did not where nothing tells which. */
  readonly away: readonly [RankReport, ...RankReport[]];
}

/** Who stayed away from a collective, of failed ranks that come first to last; `undefined` unless that explains how each ended. */
export function stayedAway(
  failed: readonly RankReport[],
  missedItsPeers: (rank: RankReport) => boolean,
): StayedAway | undefined {
  const waiting = failed.flatMap((rank) => {
    const said = rank.exit && saidOfTimeout(rank.exit);
    return said === undefined ? [] : [{ waited: rank, said }];
  });
  const ended = failed.filter(({ exit }) => exit && wasEnded(exit));
  const rest = failed.filter(
    (rank) => !ended.includes(rank) && !waiting.some(({ waited }) => waited === rank),
  );
  const [first] = waiting;
  if (first === undefined || !rest.every(missedItsPeers)) return undefined;
  // Of those that were ended, some may have waited too: they came later, and had not waited long enough to raise.
  const elsewhere = ended.filter(({ exit }) => exit && wasElsewhere(exit));
  const [one, ...others] = elsewhere.length === 1 ? elsewhere : ended;
  return one === undefined ? undefined : { ...first, away: [one, ...others] };
}

/** What stays known of an exit whose traceback is not kept. */
export function collectiveTraits(exit: RankExit): Pick<RankExit, "waitedInVain" | "wasElsewhere"> {
  const waitedInVain = saidOfTimeout(exit);
  return {
    ...(waitedInVain === undefined ? {} : { waitedInVain }),
    ...(wasElsewhere(exit) ? { wasElsewhere: true } : {}),
  };
}

/** Of failed ranks, the most to blame first, the one whose words are kept: among those that were ended, one that was elsewhere. */
export function mostTelling(failed: readonly RankReport[]): RankReport | undefined {
  const [first] = failed;
  if (first?.exit === undefined || !wasEnded(first.exit)) return first;
  return failed.find(({ exit }) => exit && wasElsewhere(exit)) ?? first;
}

/** Whether a rank was seen outside a collective and then ended. */
function wasElsewhere(exit: RankExit): boolean {
  return wasEnded(exit) && (exit.wasElsewhere === true || isElsewhere(exit.tracebackTail));
}

/** What a rank said of a collective, or of the meeting of the ranks, that timed out. */
function saidOfTimeout({ signal, tracebackTail, waitedInVain }: RankExit): string | undefined {
  if (waitedInVain !== undefined) return waitedInVain;
  if (signal === SIGABRT) return WATCHDOG.exec(tracebackTail)?.[0];
  const isTimeout = signal === 0 && isPeerLost(tracebackTail) && /timed out|timeout/i.test(tracebackTail);
  return isTimeout ? exceptionLine(tracebackTail) : undefined;
}

/** Ended by the platform, politely or not: had it died before, the others would have lost a connection and not waited. */
function wasEnded({ signal, outOfMemory }: RankExit): boolean {
  return outOfMemory !== true && [SIGTERM, SIGKILL].includes(signal);
}
