import { dataset } from "@trainyard/contracts";
import { word } from "../follow/words.ts";
import type { Session } from "../session.ts";
import { formatBytes } from "../terminal/bytes.ts";
import { fields } from "../terminal/fields.ts";
import { style } from "../terminal/style.ts";
import { safeText } from "../terminal/text.ts";

/** Columns that are listed; a wide table has hundreds. */
const maxColumns = 12;

/** Colours a version's state. */
export function paintDatasetState(text: string, state: dataset.DatasetState): string {
  if (state === dataset.DatasetState.READY) return style.good(text);
  return state === dataset.DatasetState.QUARANTINED ? style.bad(text) : style.warn(text);
}

/** One version as a person reads it; a broken contract first. */
export function datasetText(session: Session, version: dataset.DatasetVersion): string {
  const state = word(dataset.DatasetState, version.state);
  const paint = (text: string) => paintDatasetState(text, version.state);
  const columns = version.columns.slice(0, maxColumns).map(({ name, type }) => `${name} ${type}`);
  const rest = version.columns.length - columns.length;
  const splits = version.splits.map(
    ({ name, rowCount, shards }) =>
      `${name} ${rowCount} rows in ${shards.length} ${shards.length === 1 ? "shard" : "shards"}`,
  );
  return [
    `${paint("●")} ${style.bold(`${version.name}@${version.version}`)}  ${paint(state)}`,
    "",
    fields([
      ["id", version.id],
      ["rows", `${version.rowCount}, ${formatBytes(version.sizeBytes)}`],
      ["splits", splits.join(" · ")],
      ["columns", rest > 0 ? `${columns.join(", ")} and ${rest} more` : columns.join(", ")],
      ["schema", version.schemaHash],
      ["content", version.contentHash],
      ["registered", `${session.time(version.createdAt)} by ${version.createdBy}`],
      ["deprecated", version.deprecationReason],
      ["what", version.description],
    ]),
    ...reportLines(version.report),
  ].join("\n");
}

function reportLines(report: dataset.ValidationReport | undefined): string[] {
  if (report === undefined || report.rules.length === 0) return [];
  const broken = report.rules.filter(({ passed }) => !passed);
  if (broken.length === 0)
    return ["", `  ${style.good("✓")} all ${report.rules.length} rules of the contract hold`];
  return [
    "",
    `  ${style.bad(`${broken.length} of ${report.rules.length} rules of the contract are broken; no job can use this version:`)}`,
    ...broken.flatMap(({ rule, failedRows, examples }) => [
      `  ${style.bad("✗")} ${safeText(rule)}: ${failedRows} ${failedRows === 1n ? "row" : "rows"}`,
      ...examples.map((example) => `      ${style.dim(safeText(example))}`),
    ]),
  ];
}
