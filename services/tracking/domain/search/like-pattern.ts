/**
 * A LIKE pattern as a regular expression: % is any text, _ any one character, everything else itself. The source is
 * understood alike by JavaScript (flags s and u) and by the database's PCRE (option s).
 */
export function likePattern(pattern: string): string {
  const parts = [...pattern].map((character) => {
    if (character === "%") return "[\\s\\S]*";
    if (character === "_") return ".";
    // Control characters by number: the database refuses an expression with a zero byte in it.
    if (/\p{Cc}/u.test(character))
      return `\\x${character.codePointAt(0)?.toString(16).padStart(2, "0") ?? "00"}`;
    return /[\\^$.*+?()[\]{}|/]/.test(character) ? `\\${character}` : character;
  });
  return `^${parts.join("")}$`;
}
