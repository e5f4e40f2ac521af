import { type DomainError, isDomainError } from "@trainyard/domain";
import { errorStyle } from "./style.ts";
import { safeText } from "./text.ts";

/** Errors whose message holds every violation with its place already. */
const wholeMessages = /_INVALID$/;

/** Prints what went wrong, where, and what to do: to standard error, as an object with `json`. */
export function printError(error: unknown, options: { readonly json: boolean }): void {
  process.stderr.write(`${options.json ? errorJson(error) : errorText(error)}\n`);
}

function errorJson(error: unknown): string {
  if (!isDomainError(error)) return JSON.stringify({ error: { code: "internal", message: String(error) } });
  const { code, reason, message, violations } = error;
  return JSON.stringify({ error: { code, reason, message, violations } });
}

/** The error as lines for a person. */
export function errorText(error: unknown): string {
  if (!isDomainError(error)) {
    return `${errorStyle.bad("error")}  ${causes(error).map(safeText).join("\n       because: ")}`;
  }
  const lines = safeText(error.message).split("\n");
  const told = error.message;
  const violations = error.violations.filter(
    ({ description }) =>
      !(wholeMessages.test(error.reason) && lines.length > 0) && !told.includes(description),
  );
  const hint = hintFor(error);
  return [
    ...lines.map((line, index) => `${index === 0 ? errorStyle.bad("error") : "     "}  ${line}`),
    ...violations.map(({ field, description }) => `       ${field === "" ? "" : `${field}: `}${description}`),
    ...(hint === undefined ? [] : [`       ${hint}`]),
    `       ${errorStyle.dim(error.reason)}`,
  ].join("\n");
}

/** The messages of an error and of what caused it. */
function causes(error: unknown): string[] {
  if (!(error instanceof Error)) return [String(error)];
  return [error.message, ...(error.cause === undefined ? [] : causes(error.cause))];
}

/** What to do about it, where the message itself cannot know. */
function hintFor(error: DomainError): string | undefined {
  if (error.reason === "NO_PLATFORM")
    return "Start one with `npm start` (or name another by --url or TRAINYARD_URL).";
  if (error.code === "unauthenticated")
    return "Set TRAINYARD_TOKEN, or name the state folder of a platform on this machine by --data.";
  if (error.code === "permission_denied" && error.reason !== "APPROVER_IS_SUBMITTER")
    return "Call as somebody who may: --as admin or --as approver on this machine, or another TRAINYARD_TOKEN.";
  if (error.code === "unavailable")
    return "The platform is there but a part of it is not; try again in a moment.";
  return undefined;
}
