/** Keys whose values never reach a log, however deep they are. Digests and ids of tokens are not secrets. */
const SECRET_KEY =
  /^(authorization|cookie|set-cookie|credentials?|.*(token|password|passwd|secret|seed|private_?key|api_?key))$/i;
const NOT_SECRET_KEY = /^(page|next_?page|continuation|fencing|lease)_?token$/i;

/** What stands in a secret's place. */
export const REDACTED = "[redacted]";

/** Deeper than this a value is shown as "[…]": a log line is not a dump. */
const MAX_DEPTH = 8;

/**
 * A copy of a value in which secrets are replaced: values under secret-sounding keys, bearer tokens, and passwords in
 * URLs. Errors become plain objects with type, message, stack, cause and what libraries have hung on them (requests,
 * headers); other class instances are left as they are.
 */
export function redactSecrets(value: unknown, depth = 0): unknown {
  if (typeof value === "string") return redactText(value);
  if (typeof value !== "object" || value === null) return value;
  if (depth > MAX_DEPTH) return "[…]";
  if (Array.isArray(value)) return value.map((item) => redactSecrets(item, depth + 1));
  if (value instanceof Error) return redactSecrets(describeError(value), depth);
  if (!isPlain(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [
      key,
      isSecret(key, item) ? REDACTED : redactSecrets(item, depth + 1),
    ]),
  );
}

/**
 * Text without what looks like a credential: bearer tokens, API tokens, and passwords in URLs. Safe on a whole line of
 * JSON too: no match crosses a quote.
 */
export function redactText(text: string): string {
  return text
    .replace(/\b(bearer\s+)[\w.~+/=-]+/gi, `$1${REDACTED}`)
    .replace(/\bty_[A-Za-z0-9_-]{16,}/g, `ty_${REDACTED}`)
    .replace(/(\b[a-z][a-z0-9+.-]*:\/\/[^\s:/@"]*:)[^\s@/"]+@/gi, `$1${REDACTED}@`);
}

/** A number or a boolean under a secret-sounding key is a count or a flag, not the secret. */
function isSecret(key: string, value: unknown): boolean {
  if (typeof value === "number" || typeof value === "boolean" || value === undefined) return false;
  return SECRET_KEY.test(key) && !NOT_SECRET_KEY.test(key);
}

function describeError(error: Error): Record<string, unknown> {
  return {
    type: error.name,
    message: error.message,
    stack: error.stack,
    ...Object.fromEntries(Object.entries(error)),
    ...(error.cause === undefined ? {} : { cause: error.cause }),
    ...(error instanceof AggregateError ? { errors: error.errors } : {}),
  };
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
