/** The URI with user and password replaced, for messages and logs. Works on malformed URIs too: better too much hidden. */
export function redactUri(uri: string): string {
  const scheme = uri.indexOf("://");
  const authorityStart = scheme === -1 ? 0 : scheme + 3;
  const at = uri.lastIndexOf("@");
  return at < authorityStart ? uri : `${uri.slice(0, authorityStart)}***@${uri.slice(at + 1)}`;
}
