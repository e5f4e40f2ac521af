/**
 * The subject prefix of a user's replies. Each user may subscribe to its own only, so nobody reads another's answers;
 * the server's permissions and the client's connection must agree on it, so both take it from here.
 */
export function inboxPrefix(name: string): string {
  return `_INBOX_${name.replaceAll(/[^A-Za-z0-9_-]/g, "_")}`;
}
