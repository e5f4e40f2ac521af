/** One moment of the run, as the summary shows it. */
export interface Moment {
  readonly what: string;
  readonly at: Date;
}

/** Collects moments in any order and tells them in theirs, with the time since the first. */
export class Timeline {
  readonly #moments: Moment[] = [];

  add(what: string, at: Date | undefined): void {
    if (at !== undefined) this.#moments.push({ what, at });
  }

  get moments(): readonly Moment[] {
    return [...this.#moments].sort((a, b) => a.at.getTime() - b.at.getTime());
  }

  lines(): readonly string[] {
    const { moments } = this;
    const first = moments[0]?.at.getTime() ?? 0;
    return moments.map(({ what, at }) => {
      const since = `+${((at.getTime() - first) / 1000).toFixed(2)} s`.padStart(10);
      return `${at.toLocaleTimeString()}  ${since}  ${what}`;
    });
  }
}
