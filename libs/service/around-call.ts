import type { StreamResponse, UnaryResponse } from "@connectrpc/connect";

export interface CallHooks {
  /** Runs a piece of the call: the handler itself, or the making of a stream's next message. */
  readonly run?: <T>(piece: () => T) => T;
  /** What to throw in place of an error. */
  readonly mapError?: (error: unknown) => unknown;
  /** Told once, when the answer is out or the call has failed. */
  readonly done?: (error: unknown) => void;
}

/**
 * Lets an interceptor treat unary calls and streams alike. A streaming handler's code runs, and fails, while its
 * messages are being pulled, long after the interceptor's own function has returned.
 */
export async function aroundCall(
  call: () => Promise<UnaryResponse | StreamResponse>,
  hooks: CallHooks,
): Promise<UnaryResponse | StreamResponse> {
  const { run = (piece) => piece(), mapError = (error) => error, done = () => undefined } = hooks;
  let response: UnaryResponse | StreamResponse;
  try {
    response = await run(call);
  } catch (error) {
    const mapped = mapError(error);
    done(mapped);
    throw mapped;
  }
  if (!response.stream) {
    done(undefined);
    return response;
  }
  return { ...response, message: aroundStream(response.message, { run, mapError, done }) };
}

async function* aroundStream<T>(source: AsyncIterable<T>, hooks: Required<CallHooks>): AsyncGenerator<T> {
  const iterator = source[Symbol.asyncIterator]();
  let failure: unknown;
  let ended = false;
  try {
    for (;;) {
      const next = await hooks.run(() => iterator.next());
      if (next.done === true) {
        ended = true;
        return;
      }
      yield next.value;
    }
  } catch (error) {
    ended = true;
    failure = hooks.mapError(error);
    throw failure;
  } finally {
    // The client went away in mid-stream: the handler's own `finally` has to run.
    if (!ended) await hooks.run(() => iterator.return?.());
    hooks.done(failure);
  }
}
