/** MLflow's error codes, with the HTTP status that MLflow's server gives each. */
const statuses = {
  INTERNAL_ERROR: 500,
  // MLflow's server says 500, which its clients take for a fault that may pass, and repeat.
  INVALID_STATE: 400,
  NOT_IMPLEMENTED: 501,
  TEMPORARILY_UNAVAILABLE: 503,
  DEADLINE_EXCEEDED: 504,
  RESOURCE_EXHAUSTED: 429,
  ABORTED: 409,
  RESOURCE_DOES_NOT_EXIST: 404,
  ENDPOINT_NOT_FOUND: 404,
  PERMISSION_DENIED: 403,
  UNAUTHENTICATED: 401,
  BAD_REQUEST: 400,
  RESOURCE_ALREADY_EXISTS: 400,
  INVALID_PARAMETER_VALUE: 400,
} as const;

export type MlflowErrorCode = keyof typeof statuses;

/** A failure as MLflow's clients know it: a code that they switch on and the text that they show. */
export class MlflowError extends Error {
  readonly code: MlflowErrorCode;

  constructor(code: MlflowErrorCode, message: string) {
    super(message);
    this.name = "MlflowError";
    this.code = code;
  }

  get status(): number {
    return statuses[this.code];
  }
}

export const invalidParameter = (message: string) => new MlflowError("INVALID_PARAMETER_VALUE", message);

export const doesNotExist = (message: string) => new MlflowError("RESOURCE_DOES_NOT_EXIST", message);

export const alreadyExists = (message: string) => new MlflowError("RESOURCE_ALREADY_EXISTS", message);

/** What MLflow says of a value that it refuses, such as `Invalid value "a/../b" for parameter 'key' supplied: …`. */
export function invalidValue(path: string, value: unknown, why?: string): MlflowError {
  const text = `Invalid value ${asciiJson(value)} for parameter '${path}' supplied`;
  return invalidParameter(why === undefined ? `${text}.` : `${text}: ${why}`);
}

/** JSON as Python writes it without being told otherwise: ASCII alone, keys in order. */
function asciiJson(value: unknown): string {
  const text = jsonOf(value);
  return text.replaceAll(
    /[\u0080-\uffff]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** A value that is nested deeper than a stack is high is no value that anybody meant. */
function jsonOf(value: unknown): string {
  try {
    return JSON.stringify(value, (_key, item: unknown) => sorted(item)) ?? "null";
  } catch {
    return '"(nested too deeply)"';
  }
}

function sorted(item: unknown): unknown {
  if (typeof item !== "object" || item === null || Array.isArray(item)) return item;
  return Object.fromEntries(Object.entries(item).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}
