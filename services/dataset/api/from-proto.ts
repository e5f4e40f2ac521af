import { dataset } from "@trainyard/contracts";
import { DomainError } from "@trainyard/domain";
import type { DatasetVersion } from "../domain/dataset-version.ts";

/** Longest description and deprecation reason, in characters. */
export const MAX_TEXT_LENGTH = 4_000;

/** An `invalid_argument` about one field. */
export function invalidField(reason: string, field: string, description: string): DomainError {
  return new DomainError("invalid_argument", reason, `${field}: ${description}.`, {
    violations: [{ field, description }],
  });
}

export function formatFromProto(format: dataset.FileFormat): DatasetVersion["format"] {
  switch (format) {
    case dataset.FileFormat.PARQUET:
      return "parquet";
    case dataset.FileFormat.CSV:
      return "csv";
    default:
      throw invalidField("FORMAT_INVALID", "format", "expected FILE_FORMAT_PARQUET or FILE_FORMAT_CSV");
  }
}

export function assertText(field: string, text: string): void {
  if (text.length <= MAX_TEXT_LENGTH) return;
  const description = `has ${text.length} characters; at most ${MAX_TEXT_LENGTH} are kept`;
  throw invalidField("TEXT_TOO_LONG", field, description);
}
