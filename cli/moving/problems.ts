/** Something that could not be taken, and how often. */
export interface Problem {
  readonly what: string;
  readonly why: string;
  readonly count: number;
}

/** Kinds of problem that are told one by one; what is beyond is only counted. */
const maxKinds = 1_000;

/** Collects what could not be taken on the way, so that it is told once, at the end, and never stops the rest. */
export class Problems {
  readonly #found = new Map<string, Problem>();
  #beyond = 0;

  add(what: string, why: string, count = 1): void {
    const name = `${what}\0${why}`;
    const known = this.#found.get(name);
    if (known === undefined && this.#found.size >= maxKinds) this.#beyond += count;
    else this.#found.set(name, { what, why, count: (known?.count ?? 0) + count });
  }

  list(): Problem[] {
    const all = [...this.#found.values()];
    return this.#beyond === 0
      ? all
      : [...all, { what: "more", why: "see the ones above", count: this.#beyond }];
  }
}

/** One problem as a line. */
export function problemLine({ what, why, count }: Problem): string {
  return `not taken: ${what}${count > 1 ? ` (${count} times)` : ""}: ${why}`;
}
