import {
  type Equals,
  equalsSearch,
  type FirstMetric,
  firstMetric,
  lookEnd,
  nextLook,
  numbersFrom,
  rowCounts,
  wholeRows,
} from "../domain/search/candidates.ts";
import type { Condition } from "../domain/search/compile.ts";
import type { Among, MetricRow, Search } from "../domain/search/plan.ts";
import type { Found } from "./search.ts";

/** What is read for a page that is put together best first. */
export interface PageReads {
  /** Rows of the metric in its order that pass these as well. */
  rows(first: FirstMetric, match: readonly Condition[], limit: number): Promise<MetricRow[]>;
  /** Rows of the metric of these runs that pass these as well. */
  rowsOf(first: FirstMetric, runIds: readonly string[], match: readonly Condition[]): Promise<MetricRow[]>;
  find(search: Search): Promise<Found[]>;
}

/** The page of a search by a metric, from as few runs as do; `undefined` where all of them have to be looked at. */
export async function findBestFirst(search: Search, reads: PageReads): Promise<Found[] | undefined> {
  const first = firstMetric(search);
  if (first === undefined) return undefined;
  const page = new Page(search, first, reads);
  const rank = search.after?.places[0]?.[0] ?? 0;
  if (rank === 0 && !(await page.addNumbers())) return undefined;
  if (rank !== 2 && !page.isFull && !(await page.addNaN())) return undefined;
  if (page.isFull || !first.optional || (await page.addEquals("none"))) return page.found;
  return undefined;
}

class Page {
  readonly found: Found[] = [];
  readonly #search: Search;
  readonly #first: FirstMetric;
  readonly #reads: PageReads;
  readonly #looked = new Set<string>();
  /** Rows that it may read. */
  readonly #most: number;

  constructor(search: Search, first: FirstMetric, reads: PageReads) {
    this.#search = search;
    this.#first = first;
    this.#reads = reads;
    this.#most = rowCounts(search).at(-1) ?? 0;
  }

  get isFull(): boolean {
    return this.found.length >= this.#search.limit;
  }

  /** Whether the page is full, or has all that have a number. */
  async addNumbers(): Promise<boolean> {
    const [, value] = this.#search.after?.places[0] ?? [];
    let reached = value === undefined ? undefined : Number(value);
    for (const count of rowCounts(this.#search)) {
      const rows = await this.#reads.rows(this.#first, numbersFrom(this.#first, reached), count + 1);
      const whole = wholeRows(this.#first, rows, count);
      if (!(await this.#addRows(whole))) return false;
      if (this.isFull || rows.length <= count) return true;
      reached = rows.at(-1)?.values[this.#first.aggregate];
      // Very many equals are not read to be put in order: an index may have them in order.
      if (whole.length === 0 && reached !== undefined) {
        await this.addEquals(reached);
        if (this.isFull) return true;
      }
    }
    return false;
  }

  /** Whether all that have NaN are there. */
  async addNaN(): Promise<boolean> {
    const [count = 0] = rowCounts(this.#search);
    const rows = await this.#reads.rows(this.#first, [{ [this.#first.aggregate]: Number.NaN }], count + 1);
    if (rows.length > count) return false;
    await this.#look(rows);
    return true;
  }

  /** Goes through runs in the order that equals have, and keeps those; whether the page is full, or has all of them. */
  async addEquals(equals: Equals): Promise<boolean> {
    const among = equalsSearch(this.#search, equals);
    if (among === undefined) return false;
    let after = among.after;
    let [passed, kept] = [0, 0];
    for (;;) {
      const limit = nextLook(this.#missing, passed, kept);
      if (limit > this.#most) return false;
      const next = await this.#reads.find({ ...among, limit, ...(after === undefined ? {} : { after }) });
      const ids = next.map(({ id }) => id);
      const before = this.found.length;
      if (equals === "none") await this.#lookWithout(ids);
      else {
        await this.#look(await this.#reads.rowsOf(this.#first, ids, [{ [this.#first.aggregate]: equals }]));
      }
      if (this.isFull || next.length < limit) return true;
      passed += next.length;
      kept += this.found.length - before;
      after = next.at(-1);
    }
  }

  get #missing(): number {
    return this.#search.limit - this.found.length;
  }

  /** Whether it is worth to go on; with too few that pass it is not. */
  async #addRows(rows: readonly MetricRow[]): Promise<boolean> {
    for (let at = 0; at < rows.length && !this.isFull; ) {
      const size = nextLook(this.#missing, this.#looked.size, this.found.length);
      if (size > this.#most) return false;
      const end = lookEnd(this.#first, rows, at + size);
      await this.#look(rows.slice(at, end));
      at = end;
    }
    return true;
  }

  async #look(rows: readonly MetricRow[]): Promise<void> {
    const fresh = rows.filter(({ runId }) => !this.#looked.has(runId));
    await this.#find(
      fresh.map(({ runId }) => runId),
      fresh,
    );
  }

  async #lookWithout(ids: readonly string[]): Promise<void> {
    const having = new Set((await this.#reads.rowsOf(this.#first, ids, [])).map(({ runId }) => runId));
    await this.#find(
      ids.filter((id) => !having.has(id) && !this.#looked.has(id)),
      [],
    );
  }

  async #find(ids: readonly string[], rows: readonly MetricRow[]): Promise<void> {
    if (ids.length === 0) return;
    const among: Among = { key: this.#first.key, ids, rows };
    for (const id of ids) this.#looked.add(id);
    this.found.push(...(await this.#reads.find({ ...this.#search, among, limit: this.#missing })));
  }
}
