import { invalidField, limitExceeded } from "../errors.ts";
import { columnId, type OrderKey } from "./comparison.ts";
import { Cursor } from "./cursor.ts";
import { type ColumnOptions, parseColumn } from "./parse-column.ts";

/** Keys of one order: a page token holds the value of each. */
export const MAX_ORDER_KEYS = 10;

/** Reads the keys of an order, such as `metrics.loss.min DESC`. Throws ORDER_BY_INVALID with the character. */
export function parseOrder(texts: readonly string[], options: ColumnOptions): readonly OrderKey[] {
  if (texts.length > MAX_ORDER_KEYS) {
    throw limitExceeded("order_by", "MAX_ORDER_KEYS", MAX_ORDER_KEYS, texts.length, "keys");
  }
  const seen = new Set<string>();
  return texts.map((text, index) => {
    const field = `order_by[${index}]`;
    const cursor = new Cursor(text, field, "ORDER_BY_INVALID");
    const at = cursor.at;
    const column = parseColumn(cursor, options);
    if (column.kind === "dataset") throw cursor.failure("a metric, parameter, tag or attribute", at);
    const descending = cursor.takeWords("DESC");
    if (!descending) cursor.takeWords("ASC");
    if (!cursor.atEnd) throw cursor.failure("ASC, DESC or the end");
    const id = columnId(column);
    if (seen.has(id))
      throw invalidField(field, `${text.trim()} orders by the same as a key before`, "ORDER_BY_INVALID");
    seen.add(id);
    return { column, descending };
  });
}
