import { JetStreamApiError } from "@nats-io/jetstream";

/** Codes of the JetStream API that this lib tells apart. */
export const apiCodes = { streamNotFound: 10059, consumerNotFound: 10014, wrongLastSequence: 10071 } as const;

/** Whether a caught value is the JetStream API's answer with this code, at any depth of its causes. */
export function hasApiCode(error: unknown, code: number): boolean {
  for (let at = error; at instanceof Error; at = at.cause) {
    if (at instanceof JetStreamApiError && at.code === code) return true;
  }
  return false;
}

/** A message was not stored within its deadline. Publishing it again with the same id is safe. */
export class PublishError extends Error {
  override readonly name = "PublishError";
  readonly subject: string;

  constructor(subject: string, cause: unknown) {
    super(`"${subject}" was not stored: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    });
    this.subject = subject;
  }
}

/** A stream could not be made what its spec says. */
export class StreamDeclarationError extends Error {
  override readonly name = "StreamDeclarationError";
  readonly stream: string;

  constructor(stream: string, cause: unknown) {
    super(
      `stream ${stream} could not be declared: ${cause instanceof Error ? cause.message : String(cause)}`,
      {
        cause,
      },
    );
    this.stream = stream;
  }
}

/** Another publisher was there first: the subject's last sequence is not the expected one. */
export class StalePublisherError extends Error {
  override readonly name = "StalePublisherError";
  readonly code = apiCodes.wrongLastSequence;
  readonly subject: string;
  readonly expected: number;

  constructor(subject: string, expected: number, cause: unknown) {
    super(`the last sequence of "${subject}" is not ${expected}: another publisher was there first`, {
      cause,
    });
    this.subject = subject;
    this.expected = expected;
  }
}
