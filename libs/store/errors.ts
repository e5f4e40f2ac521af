import { MongoError, MongoNetworkError, MongoServerError } from "mongodb";

/**
 * Thrown inside a transaction's function to have the whole function run again: it saw that a concurrent
 * transaction made the same row, and a new snapshot will show it.
 */
export class RetryTransaction extends Error {
  override readonly name = "RetryTransaction";
}

/** The lease's token is no longer the newest: another holder has taken over, and nothing was written. */
export class StaleLeaseError extends Error {
  override readonly name = "StaleLeaseError";
  readonly lease: string;
  /** The token that was refused; undefined when the lease was not held at all. */
  readonly token: number | undefined;

  constructor(lease: string, token: number | undefined) {
    super(
      token === undefined
        ? `Lease ${lease} is not held by this process.`
        : `Lease ${lease} was lost: token ${token} is not the current one.`,
    );
    this.lease = lease;
    this.token = token;
  }
}

/** The database could not be opened. The message names the server and never the credentials. */
export class StoreOpenError extends Error {
  override readonly name = "StoreOpenError";
}

const DUPLICATE_KEY = 11000;

/** Whether the error says that a row with the same unique key is there already. */
export function isDuplicateKey(error: unknown): boolean {
  return error instanceof MongoServerError && error.code === DUPLICATE_KEY;
}

/**
 * Whether running the transaction again can help. The driver labels a killed server's errors only while it still
 * believes the server to be there, so a bare network error counts too.
 */
export function isTransient(error: unknown): boolean {
  if (error instanceof RetryTransaction) return true;
  if (error instanceof MongoNetworkError || isBrokenSocket(error)) return true;
  return (
    error instanceof MongoError &&
    (error.hasErrorLabel("TransientTransactionError") ||
      error.hasErrorLabel("RetryableWriteError") ||
      UNAVAILABLE.has(error.name))
  );
}

/** A write to a connection that has just broken fails with the socket's own error, which the driver does not wrap. */
function isBrokenSocket(error: unknown): boolean {
  return error instanceof Error && "code" in error && (error.code === "EPIPE" || error.code === "ECONNRESET");
}

/** Driver errors that mean "no server for the moment" and that carry no label. */
const UNAVAILABLE = new Set([
  "MongoServerSelectionError",
  "MongoPoolClearedError",
  "MongoNotPrimaryError",
  "MongoWriteConcernError",
]);

/** Whether a commit that failed so may have happened after all: only asking again tells. */
export function isCommitUnknown(error: unknown): boolean {
  if (error instanceof MongoError && error.hasErrorLabel("TransientTransactionError")) return false;
  return (
    isTransient(error) ||
    (error instanceof MongoError && error.hasErrorLabel("UnknownTransactionCommitResult"))
  );
}
