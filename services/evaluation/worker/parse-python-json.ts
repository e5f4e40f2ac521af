const token = /"|\\|NaN|-?Infinity/g;

/**
 * Parses JSON as Python writes it: NaN and the infinities, which JSON does not know, become null. One pass over the text,
 * since the text is not trusted. Throws SyntaxError.
 */
export function parsePythonJson(text: string): unknown {
  const parts: string[] = [];
  let copied = 0;
  let inString = false;
  token.lastIndex = 0;
  for (let match = token.exec(text); match !== null; match = token.exec(text)) {
    const [word] = match;
    if (word === '"') inString = !inString;
    else if (word === "\\") token.lastIndex++;
    else if (!inString) {
      parts.push(text.slice(copied, match.index), "null");
      copied = token.lastIndex;
    }
  }
  return JSON.parse(parts.join("") + text.slice(copied));
}
