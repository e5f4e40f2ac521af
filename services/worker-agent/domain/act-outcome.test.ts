import type { ErrorCode } from "@trainyard/domain";
import { expect, it } from "vitest";
import { type ActOutcome, outcomeOf } from "./act-outcome.ts";

it.each<[string, ErrorCode, string, ActOutcome]>([
  ["a newer attempt is open", "aborted", "ATTEMPT_FENCED", "fenced"],
  ["tracking was killed in mid-call", "unavailable", "CANCELED", "retry"],
  ["something else changed at the same moment", "aborted", "CONFLICT", "retry"],
  ["tracking does not know the run yet", "not_found", "RUN_NOT_FOUND", "retry"],
  ["an uploaded blob is gone", "failed_precondition", "BLOB_MISSING", "retry"],
  ["the file was written to meanwhile", "invalid_argument", "DIGEST_MISMATCH", "retry"],
  ["the record can never be taken", "invalid_argument", "CHECKPOINT_PART_INVALID", "skip"],
])("goes by the reason: %s", (_what, code, reason, outcome) => {
  expect(outcomeOf(code, reason)).toBe(outcome);
});
