/** What a handler says of a message: it took effect, it shall come again, or it can never be taken. */
export type HandlerResult =
  | { readonly kind: "done" }
  | { readonly kind: "retry"; readonly delayMs: number; readonly reason: string }
  | { readonly kind: "reject"; readonly reason: string };

export const done: HandlerResult = { kind: "done" };

/** Deliver it again after a pause, until it has been delivered too often. */
export function retry(delayMs: number, reason: string): HandlerResult {
  return { kind: "retry", delayMs, reason };
}

/** Put it aside as a dead letter: no retry can mend it. */
export function reject(reason: string): HandlerResult {
  return { kind: "reject", reason };
}
