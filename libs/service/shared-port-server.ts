import http from "node:http";
import http2 from "node:http2";
import type { AddressInfo, Socket } from "node:net";

/** What an HTTP/2 client sends first (RFC 9113, section 3.4). */
const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n");

/** A client that has not said by then which protocol it speaks is dropped: no HTTP timeout covers it yet. */
const SNIFF_TIMEOUT_MS = 3_000;

const HEADERS_TIMEOUT_MS = 10_000;
const CHECK_INTERVAL_MS = 1_000;

export type HttpHandler = (
  request: http.IncomingMessage | http2.Http2ServerRequest,
  response: http.ServerResponse | http2.Http2ServerResponse,
) => void;

export interface SharedPortServer {
  listen(host: string, port: number): Promise<AddressInfo>;
  /**
   * Takes no more connections, lets what is under way finish, and when `signal` aborts cuts off what is left.
   * Resolves when every socket is closed.
   */
  close(signal: AbortSignal): Promise<void>;
}

/**
 * Serves HTTP/1.1 and cleartext HTTP/2 on one port. Node has no such server: an `http.Server` owns the port (so that its
 * timeouts work), its own connection listener is taken out, and each connection goes, by its first bytes, to that
 * listener or to an HTTP/2 server that never listens.
 */
export function sharedPortServer(handler: HttpHandler, requestTimeoutMs: number): SharedPortServer {
  const h1 = http.createServer(
    {
      headersTimeout: HEADERS_TIMEOUT_MS,
      requestTimeout: requestTimeoutMs,
      connectionsCheckingInterval: CHECK_INTERVAL_MS,
    },
    handler,
  );
  const h2 = http2.createServer(handler);
  const sockets = new Set<Socket>();
  const unsniffed = new Set<Socket>();
  const sessions = new Set<http2.ServerHttp2Session>();

  // Typed as plain functions by Node; this one takes the socket.
  const serveHttp1 = h1.listeners("connection")[0] as
    | ((this: http.Server, socket: Socket) => void)
    | undefined;
  if (serveHttp1 === undefined) throw new Error("http.Server has no connection listener to take over");
  h1.removeAllListeners("connection");
  h1.on("connection", (socket: Socket) => {
    sockets.add(socket);
    unsniffed.add(socket);
    socket.once("close", () => {
      sockets.delete(socket);
      unsniffed.delete(socket);
    });
    sniff(socket, (protocol) => {
      unsniffed.delete(socket);
      if (protocol === "h2") h2.emit("connection", socket);
      else serveHttp1.call(h1, socket);
    });
  });
  h2.on("session", (session) => {
    sessions.add(session);
    session.once("close", () => sessions.delete(session));
  });
  // A peer that breaks the protocol or resets the connection ends its own session and nothing else.
  h2.on("sessionError", () => undefined);

  return {
    listen(host, port) {
      return new Promise((resolve, reject) => {
        h1.once("error", reject);
        h1.listen(port, host, () => {
          h1.off("error", reject);
          resolve(h1.address() as AddressInfo); // A TCP server's address is never a path.
        });
      });
    },
    async close(signal) {
      if (!h1.listening) return;
      const closed = new Promise<void>((resolve) => h1.close(() => resolve()));
      for (const socket of unsniffed) socket.destroy();
      for (const session of sessions) session.close();
      const cutOff = () => {
        for (const session of sessions) session.destroy();
        for (const socket of sockets) socket.destroy();
      };
      if (signal.aborted) cutOff();
      signal.addEventListener("abort", cutOff);
      await closed;
      signal.removeEventListener("abort", cutOff);
    },
  };
}

/**
 * Tells by a connection's first bytes which protocol it speaks. The bytes are gathered in a variable and put back once:
 * putting them back while still undecided would have the stream hand them over again at once, for ever.
 */
function sniff(socket: Socket, decided: (protocol: "h1" | "h2") => void): void {
  let seen = Buffer.alloc(0);
  const timer = setTimeout(() => socket.destroy(), SNIFF_TIMEOUT_MS);
  const onError = () => socket.destroy();
  const onClose = () => clearTimeout(timer);
  const onData = (chunk: Buffer) => {
    seen = Buffer.concat([seen, chunk]);
    const compared = Math.min(seen.length, PREFACE.length);
    const matches = seen.subarray(0, compared).equals(PREFACE.subarray(0, compared));
    if (matches && compared < PREFACE.length) return;
    clearTimeout(timer);
    socket.pause();
    socket.off("data", onData);
    socket.off("error", onError);
    socket.off("close", onClose);
    socket.unshift(seen);
    decided(matches ? "h2" : "h1");
    if (!matches) socket.resume();
  };
  socket.on("data", onData);
  socket.on("error", onError);
  socket.on("close", onClose);
}
