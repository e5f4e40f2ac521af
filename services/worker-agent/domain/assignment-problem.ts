import type { Assignment } from "./assignment.ts";

/** Most ranks of one node. */
const MAX_RANKS_PER_NODE = 1024;
const ID = /^[a-z]+_[a-z0-9]{1,64}$/;
const NODE_ID = /^[a-zA-Z0-9_-]{1,128}$/;
const SUBJECT_TOKEN = /^[a-zA-Z0-9_][a-zA-Z0-9_-]*$/;

/**
 * Why an assignment cannot be acted upon, or undefined. Its ids become directory names and parts of bus subjects, so
 * they are checked although only the scheduler may write them.
 */
export function assignmentProblem(assignment: Assignment): string | undefined {
  const { ranks, worldSize, attempt } = assignment;
  if (!ID.test(assignment.jobId)) return "its job id is malformed";
  if (!ID.test(assignment.runId)) return "its run id is malformed";
  if (!SUBJECT_TOKEN.test(assignment.project)) return "its project is malformed";
  if (!Number.isInteger(attempt) || attempt < 1) return "its attempt is not a number from 1";
  if (ranks.length === 0 || ranks.length > MAX_RANKS_PER_NODE) {
    return `it has ${ranks.length} ranks; expected 1 to ${MAX_RANKS_PER_NODE}`;
  }
  if (ranks.some(({ rank }) => rank < 0 || rank >= worldSize)) return "a rank is outside the gang";
  if (new Set(ranks.map(({ rank }) => rank)).size !== ranks.length) return "a rank is there twice";
  if (assignment.action === "run" && !namesItsNodes(assignment)) return "it does not name the gang's nodes";
  if (assignment.action === "run" && assignment.work.entrypoint.length === 0) return "it has no entrypoint";
  return undefined;
}

/** A gang on one node talks to nobody. */
function namesItsNodes({ groupCount, groupNodes }: Assignment): boolean {
  return groupCount < 2 || (groupNodes.length === groupCount && groupNodes.every((id) => NODE_ID.test(id)));
}
