import type { Change } from "../domain/change.ts";
import type { Job } from "../domain/job.ts";
import { isFinal } from "../domain/job-state.ts";
import { type Jobs, VersionConflictError } from "../store/jobs.ts";
import type { Wake } from "../wake.ts";
import { LEADER_TOPIC } from "../wake.ts";
import type { Term } from "./term.ts";

/** The jobs that are not final, as this term knows them: a copy in memory, refreshed by version. */
export interface ActiveJobs {
  /** Loads what others (a submit, a cancel) have changed. */
  refresh(): Promise<void>;
  list(): readonly Job[];
  get(id: string): Job | undefined;
  /** Rises with every change of the copy. */
  revision(): number;
  /**
   * Stores a change under the term, with what else belongs into its transaction. False when the job has changed
   * meanwhile: nothing is stored, and the next round sees the new state.
   */
  commit(change: Change, label: string, also?: Parameters<Term["fenced"]>[1]): Promise<boolean>;
}

/** The active jobs of a term. */
export function createActiveJobs(
  term: Pick<Term, "fenced"> & { readonly jobs: Jobs; readonly wake: Wake },
): ActiveJobs {
  const copy = new Map<string, Job>();
  let revision = 0;

  function keep(job: Job): void {
    revision++;
    if (isFinal(job.state)) copy.delete(job.id);
    else copy.set(job.id, job);
  }

  return {
    async refresh() {
      const versions = await term.jobs.activeVersions();
      const stale = [...versions].filter(([id, version]) => copy.get(id)?.version !== version);
      for (const job of await term.jobs.load(stale.map(([id]) => id))) keep(job);
      for (const id of [...copy.keys()].filter((known) => !versions.has(known))) {
        copy.delete(id);
        revision++;
      }
    },
    list: () => [...copy.values()],
    get: (id) => copy.get(id),
    revision: () => revision,
    async commit(change, label, also) {
      try {
        await term.fenced(label, async (tx) => {
          await term.jobs.commit(tx, change);
          await also?.(tx);
        });
      } catch (error) {
        if (!(error instanceof VersionConflictError)) throw error;
        term.wake.raise(LEADER_TOPIC);
        return false;
      }
      keep(change.job);
      term.wake.raise(change.job.id);
      return true;
    },
  };
}
