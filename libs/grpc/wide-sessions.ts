import { type GrpcTransportOptions, Http2SessionManager } from "@connectrpc/connect-node";
import { MAX_MESSAGE_BYTES } from "./max-message-bytes.ts";

/**
 * So much of an answer may be under way before the client has said that it took the first of it: all of the largest message.
 * By HTTP/2's default it is 64 KiB, and an answer of 2 MB waits for thirty such words, each a way there and back.
 */
const STREAM_WINDOW_BYTES = MAX_MESSAGE_BYTES;
const CONNECTION_WINDOW_BYTES = 2 * STREAM_WINDOW_BYTES;

/** How often a connection is tried, and how long it may take to answer before it is given up. */
export interface Pings {
  readonly pingIntervalMs: number;
  readonly pingTimeoutMs?: number;
}

/** A gRPC transport's connections to a server; large answers come through at the line's own pace. */
export function wideSessions(url: string, pings: Pings): NonNullable<GrpcTransportOptions["sessionManager"]> {
  const sessions = new Http2SessionManager(url, pings, {
    settings: { initialWindowSize: STREAM_WINDOW_BYTES },
  });
  const widened = new WeakSet<object>();
  return {
    authority: sessions.authority,
    async request(...call) {
      const stream = await sessions.request(...call);
      const { session } = stream;
      if (session !== undefined && !session.destroyed && !widened.has(session)) {
        widened.add(session);
        session.setLocalWindowSize(CONNECTION_WINDOW_BYTES);
      }
      return stream;
    },
    notifyResponseByteRead: (stream) => sessions.notifyResponseByteRead(stream),
  };
}
