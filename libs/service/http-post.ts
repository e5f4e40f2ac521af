import http from "node:http";
import https from "node:https";
import { Code, ConnectError } from "@connectrpc/connect";
import { readAllBytes } from "@connectrpc/connect/protocol";

/** How long a peer may be silent before the system asks whether it is there; ten seconds later it is given up. */
const PROBE_AFTER_MS = 20_000;

/**
 * How long an unused connection is kept; shorter where the peer says that it closes it sooner. Node's agent heeds the
 * peer's word only beside a limit of its own, and would send into a connection that is being closed.
 */
const KEPT_MS = 60_000;

export interface HttpPost {
  readonly url: string;
  readonly header: Headers;
  readonly body: Uint8Array;
  /** Ends the request when it is aborted. */
  readonly signal: AbortSignal;
  /** From now on; undefined for as long as it takes. */
  readonly timeoutMs: number | undefined;
}

export interface HttpAnswer {
  readonly status: number;
  readonly header: Headers;
  readonly body: Uint8Array;
}

/**
 * Posts bytes over HTTP/1.1 and kept connections, one for each request under way, and takes at most `maxBytes` in answer.
 * Fails with CANCELED, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED for an answer that is too long, and with UNAVAILABLE when the
 * connection could not be made or broke: what was asked for may be done then or not.
 */
export function httpPoster(baseUrl: string, maxBytes: number): (post: HttpPost) => Promise<HttpAnswer> {
  const { request: open, Agent } = baseUrl.startsWith("https:") ? https : http;
  const agent = new Agent({ keepAlive: true, keepAliveMsecs: PROBE_AFTER_MS, timeout: KEPT_MS });

  return async ({ url, header, body, signal, timeoutMs }) => {
    if (signal.aborted) throw canceled(signal);
    if (timeoutMs !== undefined && timeoutMs < 0) throw tooLate();
    const answer = Promise.withResolvers<HttpAnswer>();
    const headers = { ...Object.fromEntries(header), "content-length": body.byteLength };
    const sent = open(url, { agent, method: "POST", headers });
    const giveUp = (reason: ConnectError) => {
      answer.reject(reason);
      sent.destroy();
    };
    const onAbort = () => giveUp(canceled(signal));
    const onTime = () => giveUp(tooLate());
    const timer = timeoutMs === undefined ? undefined : setTimeout(onTime, timeoutMs);
    signal.addEventListener("abort", onAbort);
    sent.on("error", (error) => giveUp(unanswered(error)));
    sent.once("response", (response) => {
      const taken = new Headers(headerPairs(response.rawHeaders));
      readAllBytes(response, maxBytes, taken.get("content-length")).then(
        (bytes) => answer.resolve({ status: response.statusCode ?? 0, header: taken, body: bytes }),
        (error) => giveUp(error instanceof ConnectError ? error : unanswered(error)),
      );
    });
    sent.end(body);
    try {
      return await answer.promise;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
    }
  };
}

export function canceled(signal: AbortSignal): ConnectError {
  return ConnectError.from(signal.reason, Code.Canceled);
}

export function tooLate(): ConnectError {
  return new ConnectError("the operation timed out", Code.DeadlineExceeded);
}

function unanswered(error: unknown): ConnectError {
  return new ConnectError("the connection failed", Code.Unavailable, undefined, undefined, error);
}

/** Node has a message's headers as names and values in turn. */
export function headerPairs(rawHeaders: readonly string[]): [string, string][] {
  const pairs: [string, string][] = [];
  for (let index = 0; index < rawHeaders.length; index += 2)
    pairs.push([rawHeaders[index] ?? "", rawHeaders[index + 1] ?? ""]);
  return pairs;
}
