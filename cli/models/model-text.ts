import { registry } from "@trainyard/contracts";
import { formatMetric } from "../follow/metric-value.ts";
import { word } from "../follow/words.ts";
import type { Session } from "../session.ts";
import { fields } from "../terminal/fields.ts";
import { style } from "../terminal/style.ts";
import { safeText } from "../terminal/text.ts";

const { Stage } = registry;

/** Colours a stage. */
export function paintStage(text: string, stage: registry.Stage): string {
  if (stage === Stage.CHAMPION) return style.good(text);
  if (stage === Stage.ARCHIVED) return style.dim(text);
  return stage === Stage.CANARY ? style.accent(text) : text;
}

/** What the gates said of a version. */
export function gateWord({ gate, suite }: registry.ModelVersion): string {
  if (gate !== undefined) return gate.passed ? "passed" : "failed";
  return suite === "" ? "none" : "awaited";
}

/** One version as a person reads it. */
export function modelVersionText(session: Session, version: registry.ModelVersion): string {
  const stage = word(Stage, version.stage);
  const tensor = ({ name, dtype, shape }: { name: string; dtype: string; shape: bigint[] }) =>
    `${name} ${dtype}[${shape.join("×")}]`;
  const { signature, gate } = version;
  return [
    `${paintStage("●", version.stage)} ${style.bold(`${version.model}@${version.version}`)}  ${paintStage(stage, version.stage)}`,
    "",
    fields([
      ["id", `${version.id}, number ${version.number}`],
      ["run", version.runId],
      ["digest", version.digest],
      ["files", version.artifactUri],
      ["framework", version.framework],
      ["takes", (signature?.inputs ?? []).map(tensor).join(", ")],
      ["gives", (signature?.outputs ?? []).map(tensor).join(", ")],
      [
        "metrics",
        Object.entries(version.metrics)
          .map(([key, value]) => `${key} ${formatMetric(value)}`)
          .join("  "),
      ],
      [
        "dataset",
        version.untrackedDataPaths.length === 0
          ? version.datasetVersionId
          : `${style.warn("untracked data")}: ${version.untrackedDataPaths.map(safeText).join(", ")}`,
      ],
      ["submitted by", version.submittedBy],
      ["created", session.time(version.createdAt)],
      [
        "promoted",
        version.promotedBy === "" ? "" : `${session.time(version.promotedAt)} by ${version.promotedBy}`,
      ],
      [
        "gate",
        gate === undefined ? gateWord(version) : `${gateWord(version)} (${gate.suite}, ${gate.evaluationId})`,
      ],
      ["notes", version.notes],
    ]),
    ...(gate?.messages ?? []).map((message) => `  ${style.bad("✗")} ${safeText(message)}`),
    ...waiverLine(session, version),
    ...version.approvals.map(
      ({ by, stage: forStage, at, comment }) =>
        `  ${style.good("✓")} approved for ${word(Stage, forStage)} by ${safeText(by)}, ${session.time(at)}${comment === "" ? "" : `: ${safeText(comment)}`}`,
    ),
  ].join("\n");
}

function waiverLine(session: Session, { untrackedDataPaths, waiver }: registry.ModelVersion): string[] {
  if (untrackedDataPaths.length === 0) return [];
  if (waiver === undefined)
    return [
      `  ${style.bad("✗")} nobody answers for its data: canary and champion need trainyard models waive`,
    ];
  const { by, at, reason } = waiver;
  return [`  ${style.good("✓")} data waived by ${safeText(by)}, ${session.time(at)}: ${safeText(reason)}`];
}
