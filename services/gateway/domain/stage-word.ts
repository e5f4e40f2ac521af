import { DomainError } from "@trainyard/domain";

/** The stages as REST callers write them. */
export const stageWords = ["staging", "canary", "champion", "archived"] as const;

export type StageWord = (typeof stageWords)[number];

/** Reads a stage; `production` is what others call the champion. Throws `invalid_argument` STAGE_UNKNOWN. */
export function stageOf(text: string): StageWord {
  const known = text === "production" ? "champion" : stageWords.find((word) => word === text);
  if (known !== undefined) return known;
  const description = `expected one of ${stageWords.join(", ")} or production (which means champion), got ${JSON.stringify(text.slice(0, 64))}`;
  throw new DomainError("invalid_argument", "STAGE_UNKNOWN", `stage: ${description}.`, {
    violations: [{ field: "stage", description }],
  });
}
