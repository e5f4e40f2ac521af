/** The `path` of a request's query; empty when it has none. */
export function pathQuery(url: string | undefined): string {
  return new URL(url ?? "/", "http://gateway").searchParams.get("path") ?? "";
}
