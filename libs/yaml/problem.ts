/** One thing that is wrong in a YAML file, at the place a person has to look. */
export interface YamlProblem {
  /** Dotted path of the field, "dataset.name" or "columns.3.type"; empty for the file as a whole. */
  readonly field: string;
  /** From 1. */
  readonly line: number;
  /** From 1. */
  readonly column: number;
  /** What is wrong, what was expected, and what to do. */
  readonly message: string;
}

/** "job.yaml:3:8: ranks: expected a whole number, found text "two"": the form editors and terminals make clickable. */
export function formatProblem(fileName: string, { field, line, column, message }: YamlProblem): string {
  return `${fileName}:${line}:${column}: ${field === "" ? "" : `${field}: `}${message}`;
}
