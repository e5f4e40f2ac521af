import { Code, ConnectError } from "@connectrpc/connect";
import { readAllBytes, type UniversalHandler } from "@connectrpc/connect/protocol";
import { canceled, type HttpAnswer, type HttpPost, tooLate } from "./http-post.ts";

/** A server as clients of its own process reach it. */
export interface ServerWithin {
  /** Takes no more calls; resolves when those under way have ended, which they do at the latest when `signal` aborts. */
  close(signal: AbortSignal): Promise<void>;
}

interface Served {
  readonly handlers: ReadonlyMap<string, UniversalHandler>;
  /** How to end each call that is under way. */
  readonly underWay: Map<Promise<unknown>, (reason: ConnectError) => void>;
}

/** By where they listen. */
const servers = new Map<string, Served>();

/** Lets clients of this process that ask for it call the server at `origin` without a socket. */
export function serveWithinProcess(origin: string, handlers: readonly UniversalHandler[]): ServerWithin {
  const served: Served = {
    handlers: new Map(handlers.map((handler) => [handler.requestPath, handler])),
    underWay: new Map(),
  };
  servers.set(origin, served);
  return {
    async close(signal) {
      if (servers.get(origin) === served) servers.delete(origin);
      const cutOff = () => {
        for (const end of served.underWay.values())
          end(new ConnectError("the server stops", Code.Unavailable));
      };
      if (signal.aborted) cutOff();
      signal.addEventListener("abort", cutOff);
      await Promise.allSettled(served.underWay.keys());
      signal.removeEventListener("abort", cutOff);
    },
  };
}

/**
 * Hands bytes to the server of this process that would get them over HTTP, and fails as that would; undefined where none
 * serves that path. What a request goes through on either side is the same: only the sockets between are not there.
 */
export function postWithinProcess(post: HttpPost, maxBytes: number): Promise<HttpAnswer> | undefined {
  const pathAt = post.url.indexOf("/", "https://".length);
  const served = servers.get(post.url.slice(0, pathAt));
  const handler = served?.handlers.get(post.url.slice(pathAt));
  if (served === undefined || handler === undefined) return undefined;
  const ended = Promise.withResolvers<never>();
  const call = handled(handler, post, maxBytes, ended).finally(() => served.underWay.delete(call));
  served.underWay.set(call, ended.reject);
  return call;
}

async function handled(
  handler: UniversalHandler,
  { url, header, body, signal, timeoutMs }: HttpPost,
  maxBytes: number,
  ended: PromiseWithResolvers<never>,
): Promise<HttpAnswer> {
  if (signal.aborted) throw canceled(signal);
  if (timeoutMs !== undefined && timeoutMs < 0) throw tooLate();
  const left = new AbortController();
  ended.promise.catch((reason: unknown) => left.abort(reason));
  const onAbort = () => ended.reject(canceled(signal));
  signal.addEventListener("abort", onAbort);
  const timer = timeoutMs === undefined ? undefined : setTimeout(() => ended.reject(tooLate()), timeoutMs);
  const request = { httpVersion: "1.1", method: "POST", url, header, body: once(body), signal: left.signal };
  try {
    return await Promise.race([ended.promise, answered(handler, request, maxBytes)]);
  } catch (error) {
    throw ConnectError.from(error, Code.Unavailable);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", onAbort);
  }
}

async function answered(
  handler: UniversalHandler,
  request: Parameters<UniversalHandler>[0],
  maxBytes: number,
): Promise<HttpAnswer> {
  const { status, header, body } = await handler(request);
  const bytes = body === undefined ? new Uint8Array() : await readAllBytes(body, maxBytes);
  return { status, header: new Headers(header), body: bytes };
}

/** No generator: one that is made for a call keeps all of it in memory until the next full collection (docs/adr/0022). */
function once(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  let isGiven = false;
  const next = async (): Promise<IteratorResult<Uint8Array>> => {
    if (isGiven) return { done: true, value: undefined };
    isGiven = true;
    return { done: false, value: bytes };
  };
  return { [Symbol.asyncIterator]: () => ({ next }) };
}
