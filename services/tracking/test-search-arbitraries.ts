/** Arbitrary runs, and arbitrary filters and orders over what they have. */
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { tracking } from "@trainyard/contracts";
import fc from "fast-check";
import { columnId } from "./domain/search/comparison.ts";
import { parseOrder } from "./domain/search/parse-order.ts";
import { runVocabulary } from "./domain/search/vocabulary.ts";

const { RunStatus } = tracking;

const texts = ["", "a", "A", "ab", "aB%", "it's", "a_b", "$x", "line\nbreak", "ü"];
const numbers = [-1.5, 0, 1, 2, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];

/** A run of an outside client, the metrics that it logs, and its inputs. */
export const outsideRun = fc.record({
  params: fc.dictionary(fc.constantFrom("p", "q.r", "s t"), fc.constantFrom(...texts)),
  tags: fc.dictionary(fc.constantFrom("t", "u/v"), fc.constantFrom(...texts)),
  status: fc.constantFrom(RunStatus.QUEUED, RunStatus.RUNNING, RunStatus.COMPLETED, RunStatus.FAILED),
  startedAt: fc.integer({ min: 0, max: 3 }).map((ms) => timestampFromMs(1e12 + ms)),
  name: fc.constantFrom("a", "ab", "B"),
  metrics: fc.dictionary(
    fc.constantFrom("m", "n.min"),
    fc.array(fc.constantFrom(...numbers), { minLength: 1, maxLength: 4 }),
  ),
  inputs: fc.array(
    fc.record({
      name: fc.constantFrom("d", "e"),
      digest: fc.constantFrom("1", "2"),
      context: fc.constantFrom("", "train"),
    }),
    { maxLength: 2 },
  ),
});

const quote = (text: string) => `'${text.replaceAll("'", "''")}'`;
const text = fc.constantFrom(...texts, "FINISHED", "failed", "d", "train").map(quote);
const pattern = fc.constantFrom("%", "_", "a%", "%B%", "%b_", "A", "line_break", "%.%", "f%", "").map(quote);
const list = fc.array(text, { minLength: 1, maxLength: 3 }).map((values) => `(${values.join(", ")})`);
const number = fc.constantFrom("-1.5", "0", "1", "2", "1.25", "inf", "-inf");
const time = fc.constantFrom(
  "1000000000000",
  "1000000000001",
  "1000000000001.5",
  "1e30",
  "'2001-09-09T01:46:40.002Z'",
);
const compared = fc.constantFrom("=", "!=", "<", "<=", ">", ">=");
const nulls = fc.constantFrom("IS NULL", "IS NOT NULL");
const textTest = fc.oneof(
  fc.tuple(fc.constantFrom("=", "!="), text),
  fc.tuple(fc.constantFrom("LIKE", "ILIKE"), pattern),
  fc.tuple(fc.constantFrom("IN", "NOT IN"), list),
);
const metricColumn = fc
  .tuple(
    fc.constantFrom("m", "`n.min`", "none"),
    fc.constantFrom("", ".min", ".max", ".mean", ".first", ".last", ".count"),
  )
  .map(([key, aggregate]) => `metrics.${key}${aggregate}`);
const textColumn = fc.constantFrom(
  "params.p",
  "params.q.r",
  "params.`s t`",
  "tags.t",
  'tags."u/v"',
  "tags.none",
  "run_name",
  "status",
  "artifact_uri",
  "user_id",
);
const comparison = fc.oneof(
  fc.tuple(metricColumn, fc.oneof(fc.tuple(compared, number), fc.tuple(nulls, fc.constant("")))),
  fc.tuple(textColumn, fc.oneof(textTest, fc.tuple(nulls, fc.constant("")))),
  fc.tuple(
    fc.constantFrom("start_time", "end_time"),
    fc.oneof(fc.tuple(compared, time), fc.tuple(nulls, fc.constant(""))),
  ),
  fc.tuple(fc.constantFrom("dataset.name", "dataset.digest", "dataset.context"), textTest),
);
/** Up to three comparisons. */
export const filter = fc
  .array(comparison, { maxLength: 3 })
  .map((all) => all.map(([column, [is, value]]) => `${column} ${is} ${value}`).join(" AND "));
/** Up to three columns, none twice. */
export const orderBy = fc
  .array(
    fc.tuple(
      fc.oneof(metricColumn, textColumn, fc.constantFrom("start_time", "end_time", "run_id")),
      fc.constantFrom("", " ASC", " DESC"),
    ),
    { maxLength: 3 },
  )
  .map((keys) => keys.map((key) => key.join("")))
  .filter(
    (keys) =>
      new Set(
        keys.map((key) =>
          parseOrder([key], { vocabulary: runVocabulary })
            .map(({ column }) => columnId(column))
            .join(),
        ),
      ).size === keys.length,
  );
