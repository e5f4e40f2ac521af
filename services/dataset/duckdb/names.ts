import type { FileColumn } from "../domain/rule.ts";
import { identifier, type Sql } from "./sql.ts";

/** A column inside DuckDB: by place, so that no name of a file's can collide with or break a statement. */
export function column({ index }: Pick<FileColumn, "index">): Sql {
  return identifier(`c${index}`);
}

/** The column as it stood in the file; differs from `column` for CSV only. */
export function raw({ index }: Pick<FileColumn, "index">): Sql {
  return identifier(`r${index}`);
}
