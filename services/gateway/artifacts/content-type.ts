/** How a file's content is given to whoever asks by its path. */
export interface ContentType {
  readonly type: string;
  /** Whether a browser may show it; what could run there, such as HTML or SVG, is saved instead. */
  readonly inline: boolean;
}

/** What a browser shows without running anything in it. Text is text, whatever its content says. */
const shown: ReadonlyMap<string, string> = new Map([
  ["png", "image/png"],
  ["jpg", "image/jpeg"],
  ["jpeg", "image/jpeg"],
  ["gif", "image/gif"],
  ["webp", "image/webp"],
  ["json", "application/json"],
  ...["txt", "log", "csv", "tsv", "md", "yaml", "yml", "toml", "ini", "py", "jsonl"].map(
    (extension): [string, string] => [extension, "text/plain; charset=utf-8"],
  ),
]);

/** By the end of the name; the content is never looked at, and `nosniff` keeps browsers from doing so. */
export function contentTypeOf(path: string): ContentType {
  const extension = /\.([A-Za-z0-9]{1,8})$/.exec(path)?.[1]?.toLowerCase() ?? "";
  const type = shown.get(extension);
  return type === undefined ? { type: "application/octet-stream", inline: false } : { type, inline: true };
}

/** The header that names a file; what is not plain ASCII is percent-encoded (RFC 6266). */
export function dispositionOf(path: string, inline: boolean): string {
  const name = path.slice(path.lastIndexOf("/") + 1);
  const plain = name.replaceAll(/[^A-Za-z0-9._-]/g, "_");
  const encoded = encodeURIComponent(name).replaceAll("'", "%27");
  return `${inline ? "inline" : "attachment"}; filename="${plain}"; filename*=UTF-8''${encoded}`;
}
