import { Stage } from "./gen/trainyard/registry/v1/registry_pb.js";

/** A model version's stage by its word, the one that people and documents use. */
export const stageByWord = {
  staging: Stage.STAGING,
  canary: Stage.CANARY,
  champion: Stage.CHAMPION,
  archived: Stage.ARCHIVED,
} as const;

const words = [
  "staging",
  "canary",
  "champion",
  "archived",
] as const satisfies readonly (keyof typeof stageByWord)[];

/** The word of a stage; undefined for none, and for one that this version does not know. */
export function stageWord(stage: Stage): keyof typeof stageByWord | undefined {
  return words.find((word) => stageByWord[word] === stage);
}
