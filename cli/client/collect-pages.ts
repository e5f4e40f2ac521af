/** A page as every List method gives it. */
interface Page<T> {
  readonly items: readonly T[];
  readonly next: string;
}

const maxPageSize = 500;

/** Asks for pages until there are `limit` items or no more. */
export async function collectPages<T>(
  limit: number,
  ask: (page: { readonly pageSize: number; readonly pageToken: string }) => Promise<Page<T>>,
): Promise<{ readonly items: T[]; readonly more: boolean }> {
  const items: T[] = [];
  let pageToken = "";
  do {
    const page = await ask({ pageSize: Math.min(maxPageSize, limit - items.length), pageToken });
    items.push(...page.items);
    pageToken = page.next;
  } while (pageToken !== "" && items.length < limit);
  return { items, more: pageToken !== "" };
}
