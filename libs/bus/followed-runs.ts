import type { Bus } from "./bus.ts";

/**
 * On which tracking tells, without storing it and again each second, that somebody follows a run or has just read it: the
 * run's agents ship what it records at shorter intervals then. Nobody must answer, and one that is lost is told again.
 */
const subjectOf = (runId: string) => `followed.${runId}`;

/** The subjects of all runs. */
export const followedSubjects = subjectOf("*");

/** Tells that the run is followed. What cannot be told now is told by the next one. */
export function tellFollowed({ nc }: Bus, runId: string): void {
  if (!nc.isClosed() && !nc.isDraining()) nc.publish(subjectOf(runId));
}

/** Hears of one run that it is followed, or of all ("*"), until the returned function is called. */
export function hearFollowed({ nc }: Bus, runId: string, onFollowed: (runId: string) => void): () => void {
  const subscription = nc.subscribe(subjectOf(runId), {
    callback: (error, { subject }) => {
      if (error === null) onFollowed(subject.slice(subjectOf("").length));
    },
  });
  return () => subscription.unsubscribe();
}
