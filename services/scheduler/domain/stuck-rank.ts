/**
 * Which rank holds the others up, by their stacks. In a hung collective all ranks wait in it but one, which is elsewhere:
 * it never came, or went into another collective. So the odd one out is named, and nobody when there is none.
 */

/** A rank's stack, as faulthandler writes it. */
export interface StackText {
  readonly rank: number;
  /** Empty when the rank did not answer. */
  readonly text: string;
}

const FRAME = /^ {2}File "(.*)", line \d+ in (.*)$/;
/** Functions that a rank waits in for others. */
const COLLECTIVE_FILE = /torch\/(distributed\/|nn\/parallel\/|_C\/_distributed)|horovod|mpi4py/;

/** The frames of the main thread, the newest first, as "file:function"; lines differ while a rank works, so they are left out. */
export function mainFrames(text: string): readonly string[] {
  const lines = text.split("\n");
  // Threads are written newest first, so the main one is the last.
  const current = lines.findLastIndex((line) => /^(Current thread|Thread) /.test(line));
  const frames: string[] = [];
  for (const line of lines.slice(current + 1)) {
    const match = FRAME.exec(line);
    if (match === null) break;
    frames.push(`${match[1]}:${match[2]}`);
  }
  return frames;
}

/** Whether a stack shows that the rank was not in a collective; false where the text holds no stack. */
export function isElsewhere(text: string): boolean {
  const frames = mainFrames(text);
  return frames.length > 0 && !inCollective(frames);
}

function inCollective(frames: readonly string[]): boolean {
  return frames.some((frame) => COLLECTIVE_FILE.test(frame));
}

/** The rank that is not where the others wait; -1 when the stacks do not tell. */
export function stuckRank(stacks: readonly StackText[]): number {
  if (stacks.length < 2) return stacks[0]?.rank ?? -1;
  const silent = stacks.filter(({ text }) => text === "");
  // A process that does not even answer a signal (it is stopped, or in the kernel) is the first suspect.
  if (silent.length === 1 && silent[0] !== undefined) return silent[0].rank;
  const told = stacks
    .filter(({ text }) => text !== "")
    .map(({ rank, text }) => ({ rank, frames: mainFrames(text) }));
  const outside = told.filter(({ frames }) => !inCollective(frames));
  if (outside.length === 1 && told.length > 1 && outside[0] !== undefined) return outside[0].rank;
  const alike = outside.length === 0 || outside.length === told.length;
  return alike && told.length > 2 ? oddOne(told) : -1;
}

/** The only one whose stack differs from all the others'. */
function oddOne(told: readonly { readonly rank: number; readonly frames: readonly string[] }[]): number {
  const groups = Map.groupBy(told, ({ frames }) => frames.join("\n"));
  const [small, large] = [...groups.values()].sort((a, b) => a.length - b.length);
  return groups.size === 2 && small?.length === 1 && (large?.length ?? 0) > 1 ? (small[0]?.rank ?? -1) : -1;
}
