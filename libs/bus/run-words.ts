import type { Bus } from "./bus.ts";

/**
 * Words about a run that tracking tells without storing them: nobody must answer, and who misses one finds out later by
 * itself.
 *
 * `followed`, again each second: somebody follows the run or has just read it. The run's agents ship what it records at
 * shorter intervals then, and replicas store it sooner.
 *
 * `changed`, of a run that is followed: something of it was stored. Replicas look, for whoever follows it there.
 */
const subjectOf = (word: "followed" | "changed", runId: string) => `${word}.${runId}`;

/** The subjects of all runs. */
export const followedSubjects = subjectOf("followed", "*");
export const changedSubjects = subjectOf("changed", "*");

/** Tells that the run is followed. What cannot be told now is told by the next one. */
export function tellFollowed(bus: Bus, runId: string): void {
  tell(bus, subjectOf("followed", runId), "");
}

/** Hears of one run that it is followed, or of all ("*"), until the returned function is called. */
export function hearFollowed(bus: Bus, runId: string, onFollowed: (runId: string) => void): () => void {
  return hear(bus, subjectOf("followed", runId), onFollowed);
}

/** Tells that something of the run was stored by this process, `teller`. */
export function tellChanged(bus: Bus, runId: string, teller: string): void {
  tell(bus, subjectOf("changed", runId), teller);
}

/** Hears which runs others than `teller` have stored something of, until the returned function is called. */
export function hearChanged(bus: Bus, teller: string, onChanged: (runId: string) => void): () => void {
  return hear(bus, changedSubjects, (runId, by) => {
    if (by !== teller) onChanged(runId);
  });
}

function tell({ nc }: Bus, subject: string, payload: string): void {
  if (!nc.isClosed() && !nc.isDraining()) nc.publish(subject, payload);
}

function hear({ nc }: Bus, subject: string, onWord: (runId: string, payload: string) => void): () => void {
  const subscription = nc.subscribe(subject, {
    callback: (error, message) => {
      if (error === null) onWord(message.subject.slice(message.subject.indexOf(".") + 1), message.string());
    },
  });
  return () => subscription.unsubscribe();
}
